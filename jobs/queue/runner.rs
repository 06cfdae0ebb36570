//! What a worker does with a task: runs the handler beside itself, as many at once as allowed.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
};

use apalis_core::task::Task;
use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower_service::Service;

use super::{Handler, Job};

/// Runs each task in a Tokio task of its own, so that a worker that ends in the middle, which apalis' workers do at any fault of the
/// queue, takes no try to deliver with it. The permits are shared with the workers before and after.
pub(super) struct Runner {
    handler: Handler,
    permits: PollSemaphore,
    permit: Option<OwnedSemaphorePermit>,
}

impl Runner {
    pub(super) fn new(handler: Handler, permits: Arc<Semaphore>) -> Self {
        Self { handler, permits: PollSemaphore::new(permits), permit: None }
    }
}

impl Service<Task<Job>> for Runner {
    type Response = ();
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    /// No task is taken from the queue before there is room to run it.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.permit.is_none() {
            self.permit = ready!(self.permits.poll_acquire(cx));
        }
        Poll::Ready(Ok(()))
    }

    /// Always succeeds: retries are decided by the row, never by the queue.
    fn call(&mut self, task: Task<Job>) -> Self::Future {
        let (permit, handler) = (self.permit.take(), Arc::clone(&self.handler));
        let running = tokio::spawn(async move {
            let _permit = permit;
            handler(task.args).await;
        });
        Box::pin(async move {
            if running.await.is_err_and(|error| error.is_panic()) {
                tracing::error!("A task panicked; the sweep will push it again");
            }
            Ok(())
        })
    }
}
