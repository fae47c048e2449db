//! Layers of container images: which one a file belongs to, and what its path is inside of it.

/// Folders of layers, each followed by the layer's own name and the folder that holds its files. Docker's and
/// Podman's overlay drivers keep them in `diff`, containerd's snapshotter in `fs`.
const STORES: &[(&str, &str)] = &[
    ("/overlay2/", "/diff/"),
    ("/overlay/", "/diff/"),
    ("/io.containerd.snapshotter.v1.overlayfs/snapshots/", "/fs/"),
    ("/io.containerd.snapshotter.v1.native/snapshots/", "/"),
    ("/vfs/dir/", "/"),
];

/// What is to be said of a file at `path`, where it lies in a layer.
pub(super) fn evidence(path: &str) -> Option<String> {
    let (layer, inside) = STORES.iter().find_map(|(store, files)| {
        let (_, rest) = path.split_once(store)?;
        let (layer, inside) = rest.split_once(files)?;
        let is_name = !layer.is_empty() && !layer.contains('/') && layer != "l";
        is_name.then_some((layer, inside))
    })?;
    Some(format!("container layer {layer}, there /{inside}"))
}

#[cfg(test)]
mod tests {
    use super::evidence;

    #[test]
    fn files_of_layers_name_the_layer_and_their_path_in_it() {
        let cases = [
            ("/var/lib/docker/overlay2/0a1b2c/diff/etc/app/.env", Some(("0a1b2c", "/etc/app/.env"))),
            (
                "/var/lib/containers/storage/overlay/77ff/diff/root/.ssh/id_rsa",
                Some(("77ff", "/root/.ssh/id_rsa")),
            ),
            (
                "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs/srv/x",
                Some(("12", "/srv/x")),
            ),
            ("/var/lib/docker/vfs/dir/abc/etc/passwd", Some(("abc", "/etc/passwd"))),
            ("/var/lib/docker/overlay2/l/diff/x", None),
            ("/srv/overlay2/readme", None),
            ("/etc/passwd", None),
        ];
        for (path, expected) in cases {
            let expected = expected.map(|(layer, inside)| format!("container layer {layer}, there {inside}"));
            assert_eq!(evidence(path), expected, "{path}");
        }
    }
}
