//! The fields we read, and only those: GitHub's own schemas refuse conclusions that GitHub sends.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct WorkflowRunEvent {
    pub(super) action: String,
    pub(super) workflow_run: WorkflowRun,
    pub(super) workflow: Option<Workflow>,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct WorkflowRun {
    pub(super) name: Option<String>,
    pub(super) workflow_id: u64,
    pub(super) head_branch: Option<String>,
    pub(super) head_repository: Option<Repository>,
    pub(super) event: String,
    pub(super) conclusion: Option<String>,
    pub(super) html_url: String,
    pub(super) updated_at: String,
}

#[derive(Deserialize)]
pub(super) struct Workflow {
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Repository {
    pub(super) full_name: String,
    pub(super) html_url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CheckSuiteEvent {
    pub(super) action: String,
    pub(super) check_suite: CheckSuite,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct CheckSuite {
    pub(super) head_branch: Option<String>,
    pub(super) head_sha: String,
    pub(super) conclusion: Option<String>,
    pub(super) updated_at: String,
    pub(super) app: App,
}

#[derive(Deserialize)]
pub(super) struct App {
    pub(super) id: u64,
    pub(super) slug: Option<String>,
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatusEvent {
    pub(super) deployment_status: DeploymentStatus,
    pub(super) deployment: Deployment,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) state: String,
    pub(super) environment: String,
    pub(super) target_url: Option<String>,
    pub(super) log_url: Option<String>,
    pub(super) created_at: String,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    pub(super) task: String,
    #[serde(rename = "ref")]
    pub(super) reference: String,
}

#[derive(Deserialize)]
pub(super) struct StatusEvent {
    pub(super) sha: String,
    pub(super) context: String,
    pub(super) state: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) updated_at: String,
    pub(super) branches: Vec<Branch>,
    pub(super) repository: Repository,
}

#[derive(Deserialize)]
pub(super) struct Branch {
    pub(super) name: String,
    pub(super) commit: Commit,
}

#[derive(Deserialize)]
pub(super) struct Commit {
    pub(super) sha: String,
}
