//! TLS to Letta, and machines without certificates.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::program::{Answer, World};

/// A machine without certificates, whatever the one of the tests has.
const BARE: [(&str, &str); 2] = [
    ("SSL_CERT_FILE", "/nowhere/authorities.pem"),
    ("SSL_CERT_DIR", "/nowhere"),
];

fn on_a_bare_machine(world: &World, argv: &[&str], env: &[(&str, &str)]) -> Answer {
    let mut command = world.command(argv);
    command.envs(BARE).envs(env.iter().copied());
    Answer::read(command.output().unwrap())
}

/// An address that speaks TLS in front of the world's Letta, and the authority it is vouched for by.
async fn tls_before(world: &World) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let named = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = named.signed_by(&key, &issuer).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let letta = world.letta.url().replace("http://", "");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, letta) = (acceptor.clone(), letta.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(letta).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, authority_pem)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_certificates_does_everything_with_a_letta_without_tls() {
    let world = World::new().await;
    let agent = world.agent.as_str();

    let commands: &[&[&str]] = &[
        &["test"],
        &["agents"],
        &[
            "register",
            "--agent-id",
            agent,
            "--prompt",
            "p",
            "--every",
            "1h",
        ],
        &["list"],
        &["show", "1"],
        &["update", "1", "--prompt", "q"],
        &["run", "1"],
        &["execute"],
        &["history"],
        &["connect", "--agent-id", agent, "--print"],
        &["cancel", "1"],
    ];

    for argv in commands {
        on_a_bare_machine(&world, argv, &[]).succeeded();
    }
    assert_eq!(
        world.letta.messages(&world.agent).len(),
        2,
        "the prompt and its answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_systems_authorities_vouch_and_without_any_those_that_came_along() {
    let world = World::new().await;
    let (url, authority) = tls_before(&world).await;
    let file = world.dir().join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    let there = [("LETTA_BASE_URL", url.as_str())];

    let known = [there[0], ("SSL_CERT_FILE", file.to_str().unwrap())];
    let tested = on_a_bare_machine(&world, &["test"], &known).succeeded();
    assert_eq!(tested["letta_url"], url.as_str());
    world.register("p", &["--every", "1h"]);
    on_a_bare_machine(&world, &["run", "1"], &known).succeeded();
    on_a_bare_machine(&world, &["execute"], &known).succeeded();
    assert_eq!(
        world.letta.messages(&world.agent).len(),
        2,
        "the prompt and its answer"
    );

    let unknown = on_a_bare_machine(&world, &["test"], &there);
    assert_eq!(unknown.status, 1, "{unknown:?}");
    let told = unknown.json["error"].as_str().unwrap();
    assert!(told.contains("UnknownIssuer"), "{told}");
    // What needs no Letta needs no certificate either.
    on_a_bare_machine(&world, &["list"], &there).succeeded();
}
