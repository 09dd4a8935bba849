//! Whatever is not about schedules is passed on to Letta and back unchanged.

use axum::body::Bytes;
use futures_util::StreamExt;
use reqwest::StatusCode;
use rstest::rstest;

use super::read;
use super::upstream::Upstream;

#[rstest]
#[tokio::test]
async fn a_request_arrives_as_it_was_sent(
    #[values("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE")] method: &str,
) {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let path = "/v1/agents/a%20b/tools/x%3By?limit=2&q=a%2Fb%2e.&empty=";
    upstream.answers(418, &[("x-letta", "yes"), ("content-type", "text/odd")]);
    let request = served.request(method, path).header("x-odd", "1");
    let answer = read(request.bearer_auth("letta-password").body("ünïcödé")).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (418, Some("ünïcödé"))
    );
    assert_eq!(answer.headers["x-letta"], "yes");
    assert_eq!(answer.headers["content-type"], "text/odd");
    let arrived = &upstream.arrived()[0];
    assert_eq!(
        (arrived.method.as_str(), arrived.target.as_str()),
        (method, path)
    );
    assert_eq!(arrived.headers["x-odd"], "1");
    assert_eq!(arrived.headers["authorization"], "Bearer letta-password");
    assert_eq!(arrived.headers["host"], upstream.address.to_string());
    assert_eq!(
        arrived.headers["content-length"],
        "ünïcödé".len().to_string()
    );
}

#[tokio::test]
async fn what_belongs_to_one_connection_or_to_us_stays_here() {
    let upstream = Upstream::start().await;
    let (served, world) = upstream.served("").await;
    // Without a key nobody's proxy is answered.
    let made = world.service.create_key("test", None).await.unwrap();
    let key = secrecy::ExposeSecret::expose_secret(&made.1);
    upstream.answers(
        200,
        &[
            ("set-cookie", "session=1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("connection", "x-private"),
            ("x-private", "1"),
            ("x-public", "1"),
        ],
    );
    let answer = read(
        served
            .request("GET", "/v1/agents/")
            .header("x-promptyoself-key", key)
            .header("cookie", "session=1")
            .header("connection", "x-secret, close")
            .header("x-secret", "1")
            .header("keep-alive", "timeout=5")
            .header("te", "trailers")
            .header("upgrade", "websocket")
            .header("proxy-authorization", "Basic x")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-for", "10.0.0.1")
            .header("forwarded", "for=10.0.0.1")
            .header("x-open", "1"),
    )
    .await;
    let sent = &upstream.arrived()[0].headers;
    for name in [
        "cookie",
        "x-secret",
        "keep-alive",
        "te",
        "upgrade",
        "proxy-authorization",
        "x-forwarded-proto",
        "x-forwarded-for",
        "forwarded",
        "authorization",
    ] {
        assert!(!sent.contains_key(name), "{name}: {sent:?}");
    }
    assert_eq!(sent["x-open"], "1");
    for name in [
        "set-cookie",
        "keep-alive",
        "proxy-authenticate",
        "x-private",
    ] {
        assert!(
            !answer.headers.contains_key(name),
            "{name}: {:?}",
            answer.headers
        );
    }
    assert_eq!(answer.headers["x-public"], "1");
}

#[tokio::test]
async fn both_ways_each_piece_arrives_before_the_next_is_sent() {
    let mut upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    upstream.answers(200, &[("content-type", "text/event-stream")]);
    let (say, said) = tokio::sync::mpsc::unbounded_channel::<Result<Bytes, std::io::Error>>();
    let pieces =
        futures_util::stream::unfold(
            said,
            |mut said| async move { Some((said.recv().await?, said)) },
        );
    let sending = served
        .request("POST", "/v1/stream")
        .body(reqwest::Body::wrap_stream(pieces))
        .send();
    let sending = tokio::spawn(sending);
    for piece in ["one", "two"] {
        say.send(Ok(Bytes::from(piece))).unwrap();
        assert_eq!(upstream.heard.recv().await.unwrap(), piece);
    }
    // The answer begins while the request still goes on, as its headers alone show.
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut answer = response.bytes_stream();
    let talk = upstream.say.clone().unwrap();
    for piece in ["data: a\n\n", "data: b\n\n"] {
        talk.send(Ok(Bytes::from(piece))).unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), piece);
    }
    say.send(Ok(Bytes::from("three"))).unwrap();
    assert_eq!(upstream.heard.recv().await.unwrap(), "three");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let mut upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let response = served.request("GET", "/v1/stream").send().await.unwrap();
    let mut answer = response.bytes_stream();
    let talk = upstream.say.take().unwrap();
    talk.send(Ok(Bytes::from("beginning"))).unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap(), "beginning");
    talk.send(Err(std::io::Error::other("cut"))).unwrap();
    assert!(answer.next().await.unwrap().is_err());
}

#[rstest]
#[case("", "http://{}/v1/agents/?a=b", "/v1/agents/?a=b")]
#[case("", "/v1/agents/", "/v1/agents/")]
#[case("/deep", "http://{}/deep/v1/agents/", "/v1/agents/")]
#[case("/deep", "agents/", "/v1/agents/")]
#[case("", "https://elsewhere.example/v1/", "https://elsewhere.example/v1/")]
#[tokio::test]
async fn a_redirect_to_letta_leads_to_us(
    #[case] prefix: &str,
    #[case] location: &str,
    #[case] told: &str,
) {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served(prefix).await;
    let location = location.replace("{}", &upstream.address.to_string());
    upstream.answers(307, &[("location", &location)]);
    let answer = read(served.request("GET", "/v1/agents")).await;
    assert_eq!(answer.status, 307);
    assert_eq!(answer.headers["location"], told);
    assert_eq!(upstream.arrived()[0].target, format!("{prefix}/v1/agents"));
}

#[tokio::test]
async fn our_own_credentials_never_go_along() {
    let upstream = Upstream::start().await;
    let url = format!("http://{}", upstream.address);
    let clock = promptyoself::clock::Clock::system();
    let mut settings = crate::client::settings(&url);
    settings.api_key = Some("our-own".to_owned().into());
    let rest = promptyoself::letta_client::Rest::new(settings, clock.clone()).unwrap();
    let world = crate::world::World::on(std::sync::Arc::new(rest), clock).await;
    let served = super::Served::start(&world, super::Reach::Local).await;
    read(served.request("GET", "/v1/agents/")).await;
    read(served.request("GET", "/v1/agents/agent-1/schedule")).await;
    for arrived in upstream.arrived() {
        let told = format!("{arrived:?}");
        assert!(
            !told.contains("our-own") && !told.contains("authorization"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_letta_that_is_away_is_told_as_a_bad_gateway() {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    upstream.stop().await;
    for path in ["/v1/agents/", "/v1/agents/agent-1/schedule"] {
        let answer = read(served.request("GET", path)).await;
        let text = answer.refused(StatusCode::BAD_GATEWAY, "letta_unreachable");
        assert!(text.contains(&upstream.address.to_string()), "{text}");
    }
}

#[tokio::test]
async fn what_letta_may_have_done_already_is_not_to_be_asked_for_again() {
    let scene = super::Scene::new().await;
    let path = "/v1/runs/";
    scene
        .fake
        .script_path(path, crate::fake_letta::Script::CutBefore);
    let answer = scene.call("GET", path, None).await;
    answer.refused(StatusCode::BAD_GATEWAY, "letta_error");
    assert_eq!(answer.headers["x-should-retry"], "false");
}

#[tokio::test]
async fn a_turn_is_heard_as_it_goes_on() {
    let scene = super::Scene::new().await;
    scene.fake.hold(&scene.agent);
    let path = format!("/v1/agents/{}/messages/stream", scene.agent);
    let body = serde_json::json!({"messages": [{"role": "user", "content": "hi"}]});
    let request = scene
        .served
        .request("POST", &path)
        .bearer_auth(super::PASSWORD);
    let mut answer = request.json(&body).send().await.unwrap().bytes_stream();
    let first = answer.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("ping"));
    // The turn has not ended, and yet its beginning was heard.
    assert!(scene.fake.received()[0].ended.is_none());
    scene.fake.release(&scene.agent);
    let mut rest = String::new();
    while let Some(piece) = answer.next().await {
        rest.push_str(&String::from_utf8_lossy(&piece.unwrap()));
    }
    assert!(
        rest.contains("fake: hi") && rest.ends_with("[DONE]\n\n"),
        "{rest}"
    );
}

#[tokio::test]
async fn what_is_passed_back_is_never_a_page_of_ours() {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let page = [
        ("content-type", "text/html"),
        ("content-security-policy", "default-src *"),
        ("set-cookie2", "session=1"),
    ];
    upstream.answers(200, &page);
    let answer = read(served.request("GET", "/v1/x")).await;
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let policies: Vec<_> = answer
        .headers
        .get_all("content-security-policy")
        .iter()
        .collect();
    assert_eq!(policies, ["sandbox"]);
    assert!(!answer.headers.contains_key("set-cookie2"));
}

#[tokio::test]
async fn another_spelling_of_a_header_that_stays_here_stays_here_too() {
    let upstream = Upstream::start().await;
    let (served, world) = upstream.served("").await;
    let made = world.service.create_key("test", None).await.unwrap();
    let key = secrecy::ExposeSecret::expose_secret(&made.1);
    let mut head = format!(
        "GET /v1/agents/ HTTP/1.1\nhost: localhost\nx-promptyoself-key: {key}\n\
         x-open: 1\nuser_id: user-1\nconnection: close\n"
    );
    let stays = [
        "x_forwarded_for",
        "X_Forwarded_Host",
        "x-forwarded",
        "cookie2",
        "Cookie2",
        "x_real_ip",
        "true-client-ip",
        "x-client-ip",
        "client-ip",
        "cf-connecting-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-remote-user",
        "transfer_encoding",
        "content_length",
        "via",
        "proxy",
    ];
    for name in stays {
        head.push_str(&format!("{name}: 1\n"));
    }
    let answer = served.raw(&format!("{head}\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let sent = &upstream.arrived()[0].headers;
    for name in stays {
        assert!(
            !sent.contains_key(name.to_ascii_lowercase()),
            "{name}: {sent:?}"
        );
    }
    assert_eq!(sent["x-open"], "1");
    assert_eq!(sent["user_id"], "user-1");
}

#[tokio::test]
async fn a_body_that_its_client_breaks_off_is_the_clients_fault() {
    let upstream = Upstream::start().await;
    let (served, _world) = upstream.served("").await;
    let head = "POST /v1/tools/ HTTP/1.1\nhost: localhost\ntransfer-encoding: chunked\n\n";
    for broken in [
        "5\nhello\nno number\n",
        "5\nhello world\n",
        "fffffffffffffffff\n",
    ] {
        let answer = served.raw(&format!("{head}{broken}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{broken:?}: {answer}");
    }
}
