use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::*;

/// A queue in a folder that goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("fanal-queue-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    async fn queue(&self) -> Queue {
        Queue::connect(&QueueUrl::Sqlite(self.0.join("queue.db"))).await.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tasks(n: i64) -> Vec<Job> {
    (0..n).map(|notification| Job::Send(SendNotification { notification, attempt: 1 })).collect()
}

fn handler<F: Future<Output = ()> + Send + 'static>(handle: impl Fn(Job) -> F + Send + Sync + 'static) -> Handler {
    Arc::new(move |task| Box::pin(handle(task)))
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_task_runs_and_one_that_panics_stops_none() {
    let folder = Folder::new();
    let queue = folder.queue().await;
    queue.push(&tasks(1000)).await.unwrap();
    assert_eq!(queue.outstanding().await.unwrap(), 1000);

    let seen = Arc::new(Mutex::new(HashSet::new()));
    let seer = Arc::clone(&seen);
    let handler = handler(move |task| {
        seer.lock().unwrap().insert(task);
        async move { assert!(!matches!(task, Job::Send(task) if task.notification % 100 == 7), "a fault of ours") }
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (queue, shutdown) = (queue.clone(), shutdown.clone());
        async move { queue.run(handler, 16, shutdown).await }
    });
    until("1,000 tasks run", || seen.lock().unwrap().len() == 1000).await;
    shutdown.cancel();
    running.await.unwrap();

    assert_eq!(queue.outstanding().await.unwrap(), 0, "what has run is finished, panics included");
    assert_eq!(queue.prune().await.unwrap(), 1000);
}

#[tokio::test]
async fn no_more_run_at_once_than_allowed_and_a_stop_waits_for_those() {
    let folder = Folder::new();
    let queue = folder.queue().await;
    let (now, most, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
    let handler = handler(move |_| {
        let (now, most, done) = counters.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
        }
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (queue, shutdown) = (queue.clone(), shutdown.clone());
        async move { queue.run(handler, 4, shutdown).await }
    });
    queue.push(&tasks(20)).await.unwrap();
    until("some tasks are done", || done.load(Ordering::SeqCst) >= 8).await;
    shutdown.cancel();
    running.await.unwrap();
    assert_eq!(now.load(Ordering::SeqCst), 0);
    assert_eq!(most.load(Ordering::SeqCst), 4);

    let left = queue.outstanding().await.unwrap();
    assert_eq!(left as usize, 20 - done.load(Ordering::SeqCst), "what was not begun is left for the next");
}

#[tokio::test]
async fn a_push_to_an_idle_worker_starts_at_once() {
    let folder = Folder::new();
    let queue = folder.queue().await;
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let handler = handler(move |task| {
        let _ = started.send(task);
        async {}
    });
    let shutdown = CancellationToken::new();
    let running = tokio::spawn({
        let (queue, shutdown) = (queue.clone(), shutdown.clone());
        async move { queue.run(handler, 4, shutdown).await }
    });
    let mut waits = Vec::new();
    for task in tasks(30) {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let begin = Instant::now();
        queue.push(&[task]).await.unwrap();
        assert_eq!(starts.recv().await, Some(task));
        waits.push(begin.elapsed());
    }
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_millis(200), "waits for the next poll: {waits:?}");
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn tasks_outlive_the_process() {
    let folder = Folder::new();
    folder.queue().await.push(&tasks(3)).await.unwrap();
    assert_eq!(folder.queue().await.outstanding().await.unwrap(), 3);
}

#[test]
fn tasks_of_an_older_version_are_understood() {
    let read = |text| serde_json::from_str::<Job>(text).unwrap();
    assert_eq!(read(r#"{"notification":7,"attempt":2}"#), Job::Send(SendNotification { notification: 7, attempt: 2 }));
    assert_eq!(read(r#"{"integration":7,"round":2}"#), Job::Poll { integration: 7, round: 2 });
}
