//! Cloud policies that forbid the export and sharing of images: documents to apply, and a check of those
//! that are in force.

mod evaluate;

pub use evaluate::{Decision, Verdict, check};

/// A cloud provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Alibaba Cloud: RAM and Resource Directory policies.
    Alibaba,
    /// Amazon Web Services: IAM and service control policies.
    Aws,
    /// Microsoft Azure: role definitions.
    Azure,
    /// Google Cloud: IAM deny policies.
    Google,
}

/// A policy to apply.
#[derive(Clone, Copy, Debug)]
pub struct Document {
    /// Name: `alibaba-ram` …
    pub name: &'static str,
    /// Whose it is.
    pub provider: Provider,
    /// Where it is attached and what it does.
    pub purpose: &'static str,
    /// The document, JSON.
    pub text: &'static str,
}

/// All documents.
pub const DOCUMENTS: &[Document] = &[
    Document {
        name: "alibaba-ram",
        provider: Provider::Alibaba,
        purpose: "custom RAM policy for users, user groups and roles: no export, no sharing of images or snapshots",
        text: include_str!("documents/alibaba-ram.json"),
    },
    Document {
        name: "alibaba-control-policy",
        provider: Provider::Alibaba,
        purpose: "control policy for a folder or member of the resource directory, which binds everything below",
        text: include_str!("documents/alibaba-control-policy.json"),
    },
    Document {
        name: "aws-scp",
        provider: Provider::Aws,
        purpose: "service control policy for an organisational unit or account",
        text: include_str!("documents/aws-scp.json"),
    },
    Document {
        name: "azure-role",
        provider: Provider::Azure,
        purpose: "custom role; it does not take away what another role grants",
        text: include_str!("documents/azure-role.json"),
    },
    Document {
        name: "google-deny",
        provider: Provider::Google,
        purpose: "IAM deny policy for an organisation, folder or project",
        text: include_str!("documents/google-deny.json"),
    },
];

/// Actions that carry an image or snapshot out, by provider. A condition on these keys with these values
/// still denies what is asked.
pub(crate) struct Action {
    pub(crate) provider: Provider,
    pub(crate) name: &'static str,
    /// Condition key and the values that must all be named by it.
    pub(crate) within: Option<(&'static str, &'static [&'static str])>,
}

const fn plain(provider: Provider, name: &'static str) -> Action {
    Action { provider, name, within: None }
}

const fn share(name: &'static str) -> Action {
    let within = Some(("resourcesharing:RequestedResourceType", ["Snapshot", "Image"].as_slice()));
    Action { provider: Provider::Alibaba, name, within }
}

/// The actions that a check asks about.
pub(crate) const ACTIONS: &[Action] = &[
    plain(Provider::Alibaba, "ecs:ExportImage"),
    plain(Provider::Alibaba, "ecs:ModifyImageSharePermission"),
    share("resourcesharing:CreateResourceShare"),
    share("resourcesharing:AssociateResourceShare"),
    plain(Provider::Aws, "ec2:ExportImage"),
    plain(Provider::Aws, "ec2:CreateInstanceExportTask"),
    plain(Provider::Aws, "ec2:CreateStoreImageTask"),
    plain(Provider::Aws, "ec2:ModifyImageAttribute"),
    plain(Provider::Aws, "ec2:ModifySnapshotAttribute"),
    plain(Provider::Azure, "Microsoft.Compute/disks/beginGetAccess/action"),
    plain(Provider::Azure, "Microsoft.Compute/snapshots/beginGetAccess/action"),
    plain(Provider::Azure, "Microsoft.Compute/galleries/share/action"),
    plain(Provider::Google, "compute.googleapis.com/images.setIamPolicy"),
    plain(Provider::Google, "compute.googleapis.com/snapshots.setIamPolicy"),
    plain(Provider::Google, "compute.googleapis.com/machineImages.setIamPolicy"),
];
