"""When schedules run, and running them (promptyoself-plugin-module)."""

import subprocess
from datetime import datetime
from typing import Any, Dict, List, Optional

if __package__:
    from . import program
else:
    import program


def calculate_next_run(cron_expr: str, base_time: Optional[datetime] = None) -> datetime:
    """Return the first time after `base_time` (default: now) that a cron pattern matches.

    The pattern is in the configured time zone, as when it is stored; the answer is in UTC.
    """
    return _next_run("cron", cron_expr, base_time)


def calculate_next_run_for_schedule(schedule) -> Optional[datetime]:
    """Return the next run of a schedule, counted from now; None for a one-shot."""
    if schedule.schedule_type == "once":
        return None
    return _next_run(schedule.schedule_type, schedule.schedule_value, None)


def execute_due_prompts() -> List[Dict[str, Any]]:
    """Deliver what is due. Returns the outcome of each prompt: id, agent_id, delivered, error and more."""
    return program.call("execute")["executed"]


class PromptScheduler:
    """A scheduler in its own process, which delivers while it runs."""

    def __init__(self, interval_seconds: int = 60):
        self.interval_seconds = interval_seconds
        self.process = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it, unless it is already running."""
        if not self.running:
            arguments = ("execute", "--loop", "--interval", str(self.interval_seconds))
            self.process = subprocess.Popen(
                program.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=program.environment(),
            )

    def stop(self) -> None:
        """Stop it, and wait the few seconds it takes to finish running turns."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def run_loop(self) -> None:
        """Run it until it ends or Ctrl+C is pressed."""
        self.start()
        try:
            self.process.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()


def run_scheduler_loop(interval_seconds: int = 60) -> None:
    """Run a scheduler until it ends or Ctrl+C is pressed."""
    PromptScheduler(interval_seconds).run_loop()


def _next_run(schedule_type, schedule_value, after):
    answer = program.rows(
        "next",
        schedule_type=schedule_type,
        schedule_value=schedule_value,
        after=after and program.to_text(after),
    )
    return program.to_time(answer["next_run"])
