//! Requests that try to reach something else, or to get past this server.

use reqwest::StatusCode;
use rstest::rstest;

use super::upstream::Upstream;
use super::{Scene, read};

/// What is sent is what stands here: no client puts it right before.
#[rstest]
#[case::dots("GET /v1/../admin HTTP/1.1")]
#[case::dots_at_the_end("GET /v1/agents/.. HTTP/1.1")]
#[case::a_dot("GET /v1/./agents/ HTTP/1.1")]
#[case::two_slashes("GET /v1//agents/ HTTP/1.1")]
#[case::two_slashes_at_first("GET /v1//evil.example/x HTTP/1.1")]
#[case::encoded_dots("GET /v1/%2e%2e/admin HTTP/1.1")]
#[case::half_encoded_dots("GET /v1/.%2E/admin HTTP/1.1")]
#[case::encoded_slash("GET /v1/agents%2fx HTTP/1.1")]
#[case::encoded_slash_and_dots("GET /v1/..%2fadmin HTTP/1.1")]
#[case::encoded_backslash("GET /v1/..%5cadmin HTTP/1.1")]
#[case::encoded_twice("GET /v1/%252e%252e%252fadmin HTTP/1.1")]
#[case::encoded_nul("GET /v1/agents/x%00 HTTP/1.1")]
#[case::encoded_line_break("GET /v1/agents/x%0d%0aHost:%20evil HTTP/1.1")]
#[case::parameter("GET /v1/..;a=b/admin HTTP/1.1")]
#[case::half_an_encoding("GET /v1/agents/% HTTP/1.1")]
#[case::whole_url("GET http://127.0.0.1/v1/agents/ HTTP/1.1")]
#[case::backslash("GET /v1/..\\admin HTTP/1.1")]
#[tokio::test]
async fn a_path_that_leads_elsewhere_is_refused_and_reaches_nobody(#[case] line: &str) {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let head = format!("{line}\nHost: 127.0.0.1\nConnection: close\n\n");
    let answer = served.raw(&head).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(upstream.arrived().is_empty(), "{:?}", upstream.arrived());
}

#[rstest]
#[case::another_server("GET http://evil.example/v1/agents/ HTTP/1.1\nHost: evil.example")]
#[case::another_host("GET /v1/agents/ HTTP/1.1\nHost: evil.example")]
#[case::a_foreign_page("GET /v1/agents/ HTTP/1.1\nHost: 127.0.0.1\nOrigin: http://evil.example")]
#[case::outside("GET /%761/agents/ HTTP/1.1\nHost: 127.0.0.1")]
#[case::before("GET //v1/agents/ HTTP/1.1\nHost: 127.0.0.1")]
#[case::a_tunnel("CONNECT evil.example:80 HTTP/1.1\nHost: 127.0.0.1")]
#[case::an_echo("TRACE /v1/agents/ HTTP/1.1\nHost: 127.0.0.1")]
#[case::two_lengths(
    "POST /v1/agents/ HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 1\nContent-Length: 2"
)]
#[tokio::test]
async fn a_request_that_is_not_for_us_reaches_nobody(#[case] head: &str) {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let answer = served.raw(&format!("{head}\nConnection: close\n\n")).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(upstream.arrived().is_empty(), "{:?}", upstream.arrived());
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_go_on() {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let head = "POST /v1/agents/ HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 4\n\
                Transfer-Encoding: chunked\nConnection: close\n\n2\nhi\n0\n\n";
    let answer = served.raw(head).await;
    let arrived = upstream.arrived();
    match arrived.as_slice() {
        [] => assert!(answer.starts_with("HTTP/1.1 400"), "{answer}"),
        [one] => assert!(!one.headers.contains_key("content-length"), "{one:?}"),
        more => panic!("{more:?}"),
    }
}

#[tokio::test]
async fn our_key_never_reaches_letta_wherever_it_stands() {
    let upstream = Upstream::start().await;
    let (served, world) = upstream.served("").await;
    let made = world.service.create_key("test", None).await.unwrap();
    let key = secrecy::ExposeSecret::expose_secret(&made.1).to_owned();
    let passed = served.request("GET", "/v1/agents/");
    let passed = read(passed.header("x-promptyoself-key", &key)).await;
    assert_eq!(passed.status, 200);
    assert_eq!(upstream.arrived().len(), 1);

    let bearer = format!("Bearer {key}");
    let password = format!("password {key}");
    for (name, value) in [
        ("authorization", &bearer),
        ("x-bare-password", &password),
        ("x-anything", &key),
    ] {
        for ours in [false, true] {
            let mut request = served.request("GET", "/v1/agents/").header(name, value);
            if ours {
                request = request.header("x-promptyoself-key", &key);
            }
            let answer = read(request).await;
            assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
        }
    }
    for path in [
        format!("/v1/agents/?key={key}"),
        format!("/v1/agents/?key={}", key.replace('_', "%5F")),
    ] {
        let request = served.request("GET", &path);
        let answer = read(request.header("x-promptyoself-key", &key)).await;
        answer.refused(StatusCode::UNAUTHORIZED, "key_invalid");
    }
    let request = served.request("GET", "/v1/agents/");
    let request = request.basic_auth("letta", Some(&key));
    let answer = read(request.header("x-promptyoself-key", &key)).await;
    answer.refused(StatusCode::UNAUTHORIZED, "key_invalid");
    for arrived in upstream.arrived() {
        assert!(!format!("{arrived:?}").contains(&key[4..]), "{arrived:?}");
    }
}

#[tokio::test]
async fn nothing_that_only_looks_like_an_agent_lets_anybody_in() {
    let scene = Scene::new().await;
    // Letta answers at some paths beside its agents' too.
    let count = crate::fake_letta::Script::Answer {
        status: 200,
        body: serde_json::json!(1),
        headers: std::collections::BTreeMap::new(),
    };
    scene.fake.script_path("/v1/agents/count", count);
    let answer = scene.call("GET", "/v1/agents/count/schedule", None).await;
    answer.refused(StatusCode::NOT_FOUND, "agent_unknown");
}
