//! The TLS certificates we trust. The system's are read when the first connection needs them: most
//! commands make none, and a machine without any can still talk to a Letta without TLS.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// What a client needs for TLS.
pub(super) fn config() -> ClientConfig {
    let verifier = Arc::new(WhenNeeded {
        provider: Arc::new(ring::default_provider()),
    });
    let mut config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The system's certificate verification, set up on first use. If the system has no certificates,
/// Mozilla's, which are compiled into this program, are used.
#[derive(Debug)]
struct WhenNeeded {
    provider: Arc<CryptoProvider>,
}

impl WhenNeeded {
    fn verifier(&self) -> Result<&'static dyn ServerCertVerifier, Error> {
        static MADE: OnceLock<Result<Arc<dyn ServerCertVerifier>, Error>> = OnceLock::new();
        match MADE.get_or_init(|| made(self.provider.clone())) {
            Ok(verifier) => Ok(verifier.as_ref()),
            Err(e) => Err(e.clone()),
        }
    }
}

fn made(provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    match Verifier::new(provider.clone()) {
        Ok(system) => Ok(Arc::new(system)),
        Err(e) => {
            tracing::info!(
                "this system's certificates can't be used, so those that are part of this program are: {e}"
            );
            bundled(provider)
        }
    }
}

fn bundled(provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|e| Error::General(e.to_string()))?)
}

impl ServerCertVerifier for WhenNeeded {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?
            .verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?
            .verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
