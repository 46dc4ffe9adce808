//! A job with a log: its work until that ends, is cancelled or is another run's, and what becomes of the job then.

use std::time::Duration;

use super::log::{Log, Writer};
use super::stop::Stop;
use crate::domain::deploy::Failure;
use crate::queue::{Outcome, Run};

/// Does the work until it ends, a person cancels the job, or another run has it.
pub(super) async fn until<T>(run: &Run, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::select! {
        biased;
        () = run.lost.cancelled() => Err(Stop::Lost),
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        ended = work => ended,
    }
}

/// Closes the log, and says what becomes of the job. `failed` is given a failure with its sentence, which is in the log by then.
pub(super) async fn close(
    run: &Run,
    log: Log,
    writer: Writer,
    ended: Result<Outcome, Stop>,
    failed: impl FnOnce(&Failure, String) -> Outcome,
) -> Outcome {
    let outcome = match ended {
        Ok(outcome) => {
            if let Outcome::Failed { reason } = &outcome {
                log.say(None, reason);
            }
            outcome
        }
        Err(Stop::Failed(failure)) => {
            let sentence = log.redacted(&failure.sentence());
            log.say(None, &sentence);
            failed(&failure, sentence)
        }
        Err(Stop::Cancelled) => Outcome::Cancelled,
        Err(Stop::Lost) => Outcome::Again { after: Duration::ZERO, why: String::new() },
        Err(Stop::Again(why)) => Outcome::Again { after: run.backoff(), why },
    };
    log.flush().await;
    drop(log);
    writer.close().await;
    outcome
}
