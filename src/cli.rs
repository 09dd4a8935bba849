//! The command line: what was asked for, by whom, and the answer printed once.

pub mod args;
mod bulk;
mod commands;
mod connect;
mod context;
pub mod definitions;
pub mod describe;
mod feed;
mod follow;
mod import;
pub mod input;
mod keys;
mod listed;
mod maintenance;
mod operation_commands;
pub mod output;
mod plugin;
mod plugin_guard;
mod plugin_words;
mod progress;
mod remind;
mod rows;
mod running;
mod selection;
mod upload;
mod usage;
mod version;
mod watch;
mod words;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anstream::ColorChoice;
use clap::FromArgMatches;
use clap::error::ErrorKind;
use tokio::runtime::Builder;

use crate::clock::Clock;
use crate::config::{Environment, Flags, Settings};
use crate::daemon::{self, logging};
use crate::error::{Code, Error, Result, shell};
use crate::operations;
pub use context::Context;

use args::{Cli, PluginVerb, Verb};
use operation_commands::Invocation;
use output::{Output, Reply};
use plugin_words::Form;

/// Runs the program: `args` begins with its own name, as a process receives them.
pub fn run(args: impl IntoIterator<Item = OsString>, env: Result<Environment>) -> ExitCode {
    let mut args: Vec<OsString> = args.into_iter().collect();
    // Only we ourselves start this, so it has no place among the commands.
    if args.len() == 2 && args[1] == daemon::OBSERVE {
        return match daemon::observe() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Output::for_people().print_error(&error),
        };
    }
    let in_plugin = env.as_ref().is_ok_and(|env| env.plugin().is_some());
    let definitions = help_command(in_plugin);
    // Usage errors must be reported in the right form too, so this can't wait for the parser.
    let is_said = args.iter().any(|arg| arg == "--json");
    let is_json = is_said && words::has_flag(&args, &definitions, "json");
    let output = Output::new(is_json, colours(&args, &definitions));
    let env = match env {
        Ok(env) => env,
        Err(error) => return output.print_error(&error),
    };
    if in_plugin {
        args = words::without_nothing(args, &definitions);
    }
    let form = Form::of(&env);
    let fail = |error: Error| {
        output.print_error(&match in_plugin {
            true => plugin_words::reword(error, form),
            false => error,
        })
    };
    let (cli, invocation) = match parse(&args, definitions) {
        Ok(parsed) => parsed,
        Err(Stop::Answer(text)) => return output::write_out(&text, ExitCode::SUCCESS),
        Err(Stop::Wrong(error)) => return fail(error),
    };
    if in_plugin && let Err(error) = plugin_guard::check(&cli, invocation.as_ref()) {
        return fail(error);
    }
    if cli.describe {
        return output.print_json(&describe::describe(operations::ALL));
    }
    let Some(invocation) = &invocation else {
        let help = help_command(in_plugin).render_help().to_string();
        return output::write_out(&help, ExitCode::FAILURE);
    };
    // Its output is for the MCP client, and nothing else may be mixed in.
    if let Invocation::Command(Verb::Mcp) = invocation {
        return match run_to_end(&cli, invocation, &env, output) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => Output::for_people().print_error(&error),
        };
    }
    match run_to_end(&cli, invocation, &env, output) {
        Ok(reply) => output.print(&reply),
        Err(error) => fail(error),
    }
}

/// Runs a command. A short one gets a single-threaded runtime: starting more threads would take
/// longer than the command.
fn run_to_end(
    cli: &Cli,
    invocation: &Invocation,
    env: &Environment,
    output: Output,
) -> Result<Reply> {
    let is_lasting = match invocation {
        Invocation::Command(Verb::Serve(_) | Verb::Mcp) => true,
        Invocation::Command(Verb::Execute(args)) => args.r#loop,
        _ => false,
    };
    let mut runtime = match is_lasting {
        true => Builder::new_multi_thread(),
        false => Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(|e| {
        Error::new(Code::Internal, "could not start the program's threads").caused_by(e)
    })?;
    runtime.block_on(answer(cli, invocation, env, output, is_lasting))
}

async fn answer(
    cli: &Cli,
    invocation: &Invocation,
    env: &Environment,
    output: Output,
    is_lasting: bool,
) -> Result<Reply> {
    logging::start(env, if is_lasting { "info" } else { "warn" })?;
    if is_lasting {
        tracing::info!("promptyoself {}", version::full());
    }
    let config = match invocation {
        // What an installed plugin is configured with stays unless something else is given.
        Invocation::Command(Verb::Plugin(PluginVerb::Install { dir, .. }))
            if env.get("PROMPTYOSELF_CONFIG").is_none() =>
        {
            cli.config
                .clone()
                .or_else(|| plugin::installed_settings(dir))
        }
        _ => cli.config.clone(),
    };
    let flags = Flags {
        config,
        database: cli.db.clone(),
        concurrency: match invocation {
            Invocation::Command(Verb::Serve(args)) => args.concurrency.clone(),
            _ => None,
        },
        listen: match invocation {
            Invocation::Command(Verb::Serve(args)) => args.listen.clone(),
            _ => None,
        },
    };
    let settings = Settings::load(&flags, env)?;
    let ctx = Context::new(settings, Clock::system(), output, is_lasting);
    if is_lasting {
        for withheld in ctx.settings.withheld_keys() {
            tracing::warn!("{withheld}");
        }
    }
    let reply = match invocation {
        Invocation::Operation(operation, values) => {
            commands::carry_out(&ctx, operation, values.clone()).await
        }
        Invocation::Command(verb) => carry_out(verb, &ctx).await,
    };
    ctx.close().await;
    reply
}

async fn carry_out(verb: &Verb, ctx: &Context) -> Result<Reply> {
    // All other commands need the database file, the scheduler or the keys, or talk to Letta with
    // the settings of this machine.
    if let Some(remote) = &ctx.settings.remote
        && !matches!(verb, Verb::Mcp | Verb::Plugin(_))
    {
        return Err(remote.refuse(verb.name()));
    }
    match verb {
        Verb::Execute(args) if args.r#loop => {
            running::execute_loop(ctx, input::interval(args.interval.as_deref())?).await
        }
        Verb::Execute(_) => running::execute(ctx).await,
        Verb::Connect(args) => connect::connect(ctx, args).await,
        Verb::Import(args) => import::import(ctx, args).await,
        Verb::Upload(args) => upload::upload(ctx, args).await,
        Verb::Serve(_) => running::serve(ctx).await,
        Verb::Mcp => running::mcp(ctx).await,
        Verb::Doctor => maintenance::doctor(ctx).await,
        Verb::Prune(args) => maintenance::prune(ctx, args).await,
        Verb::Purge(args) => maintenance::purge(ctx, args).await,
        Verb::Backup(args) => maintenance::backup(ctx, args).await,
        Verb::Restore(args) => maintenance::restore(ctx, args).await,
        Verb::Rows => rows::rows(ctx).await,
        Verb::Key(verb) => keys::key(ctx, verb).await,
        Verb::Plugin(PluginVerb::Install { dir, copy }) => {
            plugin::install(&ctx.settings, dir, *copy)
        }
    }
}

/// What the command line says about colours.
fn colours(args: &[OsString], definitions: &clap::Command) -> ColorChoice {
    let is_said = |arg: &OsString| arg.as_encoded_bytes().starts_with(b"--color");
    if !args.iter().any(is_said) {
        return ColorChoice::Auto;
    }
    match words::value_of(args, definitions, "color").and_then(OsStr::to_str) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        // Parsing reports any other word.
        _ => ColorChoice::Auto,
    }
}

/// Why parsing ended without a command to run.
enum Stop {
    /// Help or the version was asked for.
    Answer(String),
    /// The command line is wrong.
    Wrong(Error),
}

fn parse(
    args: &[OsString],
    definitions: clap::Command,
) -> std::result::Result<(Cli, Option<Invocation>), Stop> {
    let parsed = definitions.try_get_matches_from(args).and_then(|matches| {
        Ok((
            Cli::from_arg_matches(&matches)?,
            Invocation::read(operations::ALL, &matches)?,
        ))
    });
    parsed.map_err(|e| {
        let text = e.render().to_string();
        match e.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Answer(text),
            // Only these have subcommands; clap would report their whole help here.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let is_key = args.iter().any(|arg| arg == "key");
                Stop::Wrong(match is_key {
                    true => Error::new(
                        Code::Usage,
                        "key needs a subcommand: create, list or revoke",
                    )
                    .example(shell("promptyoself key list")),
                    false => Error::new(Code::Usage, "plugin needs a subcommand: install DIR")
                        .example(shell("promptyoself plugin install smcp/plugins")),
                })
            }
            _ => Stop::Wrong(usage::error(&e, args)),
        }
    })
}

/// The definitions. For help read by a program, the width doesn't depend on the caller's terminal
/// or `COLUMNS`: a wrapped line would look like another command to it.
fn help_command(in_plugin: bool) -> clap::Command {
    let command = definitions::definitions(operations::ALL, in_plugin);
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        command
    } else {
        command.term_width(100)
    }
}
