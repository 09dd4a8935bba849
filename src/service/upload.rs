//! Uploads Python tools for agents to Letta. Whoever may do that runs code wherever Letta runs
//! tools, so the operator must turn it on.

use super::Service;
use super::answers::{Success, UploadedTool};
use crate::error::{Code, Error, Result, shell};
use crate::letta_client::NewTool;
use crate::limits;

impl Service {
    /// Uploads a tool to Letta, which names it after its function; `name` is the name that the
    /// caller expects.
    ///
    /// # Errors
    /// [`Code::NotPermitted`], [`Code::UploadDisabled`], [`Code::SourceMissing`],
    /// [`Code::TooLarge`], and those of Letta.
    pub async fn upload_tool(
        &self,
        source: &str,
        name: Option<&str>,
        description: Option<&str>,
    ) -> Result<UploadedTool> {
        self.refuse_scoped("uploading tools")?;
        if !self.allow_upload {
            return Err(Error::new(
                Code::UploadDisabled,
                "uploading tools is turned off, because a tool is code that runs on Letta's \
                 machine: the operator turns it on with PROMPTYOSELF_ALLOW_UPLOAD=1, or with allow_upload = \
                 true in [server] of the settings file",
            )
            .example(shell("PROMPTYOSELF_ALLOW_UPLOAD=1")));
        }
        if source.len() > limits::SOURCE_CODE {
            let most = limits::Amount::Bytes(limits::SOURCE_CODE);
            let text = format!("the source code is larger than the limit of {most}");
            return Err(Error::new(Code::TooLarge, text));
        }
        if source.trim().is_empty() {
            return Err(Error::new(
                Code::SourceMissing,
                "there is no source code: give one complete Python function with a docstring and type hints",
            )
            .example(shell("--source-code greet.py")));
        }
        let tool = NewTool {
            source: source.to_owned(),
            description: description.map(str::to_owned),
        };
        let doing = format!("upload the tool to {}", self.letta.address());
        let made = self.letta.create_tool(&tool).await;
        let made = made.map_err(|r| r.into_error(&doing, &self.letta.name()))?;
        let called = made.name.as_deref().unwrap_or(&made.id);
        let message = match name {
            Some(name) if name != called => format!(
                "Tool {called} uploaded with ID {}: it is named after its function, not {name}",
                made.id
            ),
            _ => format!("Tool {called} uploaded with ID {}", made.id),
        };
        Ok(UploadedTool {
            status: Success::Success,
            tool_id: made.id,
            name: made.name,
            message,
        })
    }
}
