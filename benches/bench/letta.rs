//! The Letta stub as the benchmark sees it, and clients of it without a database.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bed::Planned;
use crate::stub::{Behaviour, PROMPTS, Progress, Record};

/// How often the stub is asked how far it has come.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The stub's process.
pub struct Letta {
    child: Child,
    url: String,
    client: Client,
}

impl Letta {
    /// Starts it.
    pub fn start() -> Letta {
        let own = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(own)
            .arg("stub")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stub can be started");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut url)
            .expect("an address");
        let url = url.trim().to_owned();
        Letta {
            child,
            url,
            client: client(),
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Forgets what was, and says how turns go from now on.
    pub fn begin(&self, runtime: &Runtime, behaviour: &Behaviour) {
        let url = format!("{}/bench/begin", self.url);
        runtime.block_on(async {
            let asked = self.client.post(url).json(behaviour).send().await;
            asked.expect("the stub answers");
        });
    }

    /// How many prompts it has read, and how many turns have ended.
    pub fn progress(&self, runtime: &Runtime) -> Progress {
        runtime.block_on(self.ask("progress"))
    }

    /// All that it wrote down.
    pub fn record(&self, runtime: &Runtime) -> Record {
        runtime.block_on(self.ask("record"))
    }

    /// Waits until something holds of how far it has come; false if that takes too long.
    pub fn wait(
        &self,
        runtime: &Runtime,
        limit: Duration,
        until: impl Fn(Progress) -> bool,
    ) -> bool {
        let began = Instant::now();
        while !until(self.progress(runtime)) {
            if began.elapsed() > limit {
                return false;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        true
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, what: &str) -> T {
        let url = format!("{}/bench/{what}", self.url);
        let response = self.client.get(url).send().await.expect("the stub answers");
        response.json().await.expect("the stub answers with JSON")
    }

    /// Posts a prompt to each agent, `concurrency` at a time, and reads each turn to its end: how long
    /// that took. The connections are kept.
    pub fn post_all(&self, runtime: &Runtime, plans: &[Planned], concurrency: usize) -> Duration {
        let bodies: Arc<Vec<Value>> = Arc::new(plans.iter().map(body).collect());
        let (client, url) = (client(), format!("{}{PROMPTS}", self.url));
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        runtime.block_on(async {
            let mut posting = JoinSet::new();
            for _ in 0..concurrency {
                let (client, url) = (client.clone(), url.clone());
                let (bodies, next) = (bodies.clone(), next.clone());
                posting.spawn(async move {
                    while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let sent = client.post(&url).json(body).send().await;
                        read(sent.expect("the stub answers")).await;
                    }
                });
            }
            while let Some(ended) = posting.join_next().await {
                ended.expect("no panic");
            }
        });
        began.elapsed()
    }

    /// Posts each prompt at its instant, by a timer and nothing else. Returns when the last is posted
    /// and the stub has read it.
    pub fn post_by_timer(&self, runtime: &Runtime, plans: &[Planned]) {
        let (client, url) = (client(), format!("{}{PROMPTS}", self.url));
        let now = (tokio::time::Instant::now(), crate::stub::now());
        runtime.block_on(async {
            let mut posting = JoinSet::new();
            for plan in plans {
                let ahead = u64::try_from(plan.at - now.1).unwrap_or_default();
                let at = now.0 + Duration::from_micros(ahead);
                tokio::time::sleep_until(at).await;
                let sent = client.post(&url).json(&body(plan)).send();
                posting.spawn(async move { sent.await.expect("the stub answers") });
            }
            // An answer begins when the prompt has been read.
            while let Some(answered) = posting.join_next().await {
                answered.expect("no panic");
            }
        });
    }
}

impl Drop for Letta {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that keeps its connections.
pub fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

/// Reads a response to its end.
pub async fn read(response: Response) {
    response.bytes().await.expect("the answer is whole");
}

/// A prompt as promptyoself posts it.
fn body(plan: &Planned) -> Value {
    json!({
        "agent_id": plan.agent,
        "messages": [{"role": "user", "content": crate::bed::PROMPT, "otid": plan.uid}],
        "streaming": true,
        "background": true,
    })
}
