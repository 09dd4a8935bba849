//! The schedules of a server on another machine, reached over `/api/v1`.

mod wire;

use async_trait::async_trait;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::config::RemoteSettings;
use crate::error::{Code, Error, Result};
use crate::models::Caller;
use crate::operations::definition::{Body, Operation};
use crate::operations::fields::{LIMIT, OFFSET};
use crate::operations::{Ask, Values, reading};
use crate::service::Which;

use wire::Wire;

/// The largest page that can be requested.
const LARGEST_PAGE: u32 = crate::limits::PAGE;

/// A server that keeps the schedules.
pub struct Remote {
    wire: Wire,
}

impl Remote {
    /// A client for the configured server on behalf of a caller: if an agent commands this program,
    /// the agent's budget applies there too.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`].
    pub fn new(settings: &RemoteSettings, caller: Caller, clock: Clock) -> Result<Self> {
        Ok(Remote {
            wire: Wire::new(settings, caller, clock)?,
        })
    }

    /// A list, fetched in as many pages as it takes.
    async fn pages(
        &self,
        operation: &'static Operation,
        values: &Values,
        path: &str,
        list: &str,
    ) -> Result<Value> {
        let asked = reading::page(values)?;
        let query = |limit: u32, offset: u32| {
            let values = values.clone().with(&LIMIT, limit).with(&OFFSET, offset);
            values.to_json(operation.parameters())
        };
        let mut limit = asked.limit.min(LARGEST_PAGE);
        let first = |limit| query(limit, asked.offset);
        let mut answer: Value = self.wire.page(path, &mut limit, first).await?;
        let mut got = limit;
        while length(&answer, list) == got as usize && got < asked.limit {
            limit = limit.min(asked.limit - got);
            let next = |limit| query(limit, asked.offset.saturating_add(got));
            let mut more: Value = self.wire.page(path, &mut limit, next).await?;
            if let (Some(all), Some(more)) =
                (answer[list].as_array_mut(), more[list].as_array_mut())
            {
                all.append(more);
            }
            got += limit;
        }
        answer["count"] = length(&answer, list).into();
        Ok(answer)
    }
}

fn length(answer: &Value, list: &str) -> usize {
    answer[list].as_array().map_or(0, Vec::len)
}

#[async_trait]
impl Ask for Remote {
    async fn ask(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
        // Find mistakes before contacting the server.
        (operation.check)(values)?;
        let answer = self.request(operation, values).await?;
        match (operation.answer.check)(&answer) {
            Ok(()) => Ok(answer),
            Err(e) => Err(self.wire.wrong("its answer can't be read", Some(e))),
        }
    }
}

/// A schedule as a part of a path.
fn in_path(which: &Which) -> String {
    match which {
        Which::Id(id) => id.to_string(),
        Which::Name(name) => utf8_percent_encode(name, NON_ALPHANUMERIC).to_string(),
    }
}

impl Remote {
    async fn request(&self, operation: &'static Operation, values: &Values) -> Result<Value> {
        let route = &operation.route;
        let path = match route.has_id() {
            true => (route.path).replace("{id}", &in_path(&reading::which(values)?)),
            false => route.path.to_owned(),
        };
        if route.method == "GET" {
            return match operation.answer.page_of {
                Some(list) => self.pages(operation, values, &path, list).await,
                None => {
                    self.wire
                        .get(&path, &values.to_json(operation.parameters()))
                        .await
                }
            };
        }
        let method = Method::from_bytes(route.method.as_bytes())
            .map_err(|e| Error::new(Code::Internal, "an operation has no method").caused_by(e))?;
        let body: Option<Map<String, Value>> =
            (route.body != Body::None).then(|| values.to_json(operation.parameters()));
        self.wire.send(method, &path, body.as_ref()).await
    }
}
