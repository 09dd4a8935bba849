//! What an SMCP server and the secrets of agents put into the plugin's environment.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::loader::{Generation, Plugin};
use crate::program::{Answer, PASSWORD, World};

/// A server that is not the operator's, and everything that it was sent.
struct Stranger {
    url: String,
    heard: Arc<Mutex<String>>,
}

impl Stranger {
    fn listen() -> Stranger {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(String::new()));
        let hearing = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 65_536];
                let read = stream.read(&mut buffer).unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                hearing.lock().unwrap().push_str(&text);
                let body = r#"{"detail":"Unauthorized","code":"key_invalid","title":"t","status":401,"type":"t"}"#;
                let answer = format!(
                    "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Stranger { url, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

/// The plugin as an operator installs it for a world, with Letta's password in its settings.
fn installed(world: &World) -> Plugin {
    let folder = world.dir().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    let config = world.dir().join("operator.toml");
    let text = format!(
        "[letta]\nbase_url = '{}'\napi_key = '{PASSWORD}'\n",
        world.letta.url()
    );
    std::fs::write(&config, text).unwrap();
    let mut install = world.command(&["plugin", "install", folder.to_str().unwrap()]);
    install
        .env_remove("LETTA_BASE_URL")
        .env_remove("LETTA_API_KEY")
        .env("PROMPTYOSELF_CONFIG", &config);
    Answer::read(install.output().unwrap()).succeeded();
    Plugin::new(folder.join("promptyoself"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_variable_of_smcp_or_of_an_agent_leads_the_plugin_away_from_its_settings() {
    let world = World::new().await;
    let plugin = installed(&world);
    let stranger = Stranger::listen();
    let other = tempfile::tempdir().unwrap();
    let place = |name: &str| other.path().join(name).display().to_string();
    std::fs::write(
        place("config.toml"),
        format!("[letta]\nbase_url = '{}'\n", stranger.url),
    )
    .unwrap();
    let (database, settings) = (place("other.db"), place("config.toml"));
    let secrets = [
        ("LETTA_BASE_URL", stranger.url.as_str()),
        ("LETTA_SERVER_URL", stranger.url.as_str()),
        ("LETTA_API_KEY", "an agent's own"),
        ("LETTA_SERVER_PASSWORD", "an agent's own"),
        ("PROMPTYOSELF_DB_PATH", database.as_str()),
        ("PROMPTYOSELF_DB", database.as_str()),
        ("PROMPTYOSELF_URL", stranger.url.as_str()),
        ("PROMPTYOSELF_KEY", "pys_an_agents_own"),
        ("PROMPTYOSELF_CONFIG", settings.as_str()),
        ("PROMPTYOSELF_BIN", "/bin/false"),
        ("PROMPTYOSELF_TIMEZONE", "Asia/Tokyo"),
    ];
    let plugin = plugin.with_variables_of_smcp(&secrets);
    let call = |command: &str, arguments: Value| -> Value {
        let answer = plugin.call(Generation::Described, command, &arguments);
        serde_json::from_str(&answer.unwrap_or_else(|e| panic!("{command}: {e}"))).unwrap()
    };
    let tested = call("test", json!({}));
    assert_eq!(tested["letta_url"], world.letta.url());
    assert_eq!(tested["database"], world.database().to_str().unwrap());
    let made = call(
        "register",
        json!({ "agent_id": world.agent.as_str(), "prompt": "p", "cron": "0 9 * * *" }),
    );
    assert_eq!(made["timezone"], "UTC");
    assert_eq!(world.run(&["list"]).succeeded()["count"], 1);
    assert_eq!(stranger.heard(), "");
    assert!(!std::path::Path::new(&database).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_settings_file_reaches_no_server_that_a_variable_names() {
    let world = World::new().await;
    let stranger = Stranger::listen();
    let home = world.dir().join(".config/promptyoself");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(
        home.join("config.toml"),
        format!(
            "[letta]\nbase_url = '{}'\napi_key = '{PASSWORD}'\n",
            world.letta.url()
        ),
    )
    .unwrap();
    let call = |argv: &[&str], variable: Option<&str>| {
        let mut command = world.command(argv);
        command
            .env_remove("LETTA_API_KEY")
            .env_remove("LETTA_BASE_URL")
            .env("HOME", world.dir());
        if let Some(variable) = variable {
            command.env(variable, &stranger.url);
        }
        Answer::read(command.output().unwrap())
    };
    // With the file alone it is sent.
    assert!(call(&["test"], None).succeeded()["warning"].is_string());
    let agent = world.agent.as_str();
    let register = [
        "register",
        "--agent-id",
        agent,
        "--prompt",
        "p",
        "--every",
        "1h",
    ];
    for variable in ["LETTA_BASE_URL", "LETTA_SERVER_URL"] {
        for argv in [
            &["test"][..],
            &["agents"],
            &register,
            &["doctor"],
            &["execute"],
        ] {
            let answer = call(argv, Some(variable));
            assert!(!stranger.heard().contains(PASSWORD), "{argv:?}");
            if argv != ["execute"] {
                assert_ne!(answer.status, 0, "{argv:?}");
                let told = answer.json.to_string();
                assert!(
                    told.contains(variable) && told.contains("not sent"),
                    "{argv:?}: {told}"
                );
            }
        }
    }
    assert!(stranger.heard().contains("GET /v1/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_a_server_elsewhere_reaches_no_other() {
    let world = World::new().await;
    let (url, key) = world.serve_with_key(None);
    let stranger = Stranger::listen();
    let config = world.dir().join("remote.toml");
    std::fs::write(&config, format!("[remote]\nurl = '{url}'\nkey = '{key}'\n")).unwrap();
    let call = |env: &[(&str, &str)]| {
        let mut command = world.command(&["list"]);
        command
            .env_remove("PROMPTYOSELF_DB_PATH")
            .env("PROMPTYOSELF_CONFIG", &config)
            .envs(env.iter().copied());
        Answer::read(command.output().unwrap())
    };
    assert_eq!(call(&[]).succeeded()["count"], 0);
    let refused = call(&[("PROMPTYOSELF_URL", stranger.url.as_str())]);
    assert_eq!(refused.code(), "key_invalid", "{refused:?}");
    assert!(refused.error().contains("not sent"), "{refused:?}");
    assert!(stranger.heard().contains("GET /api/v1/schedules"));
    assert!(!stranger.heard().contains(&key));
}
