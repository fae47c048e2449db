//! What removes the bytes of a finding from where they lie: deleting a file does not erase it.

use super::special::Special;
use crate::location::State;

/// A sentence on what removes bytes in this state from this file system, beside what the rule says of the
/// secret. `None` for content of files in use, where removing or cleaning the file is all there is to say.
///
/// `in_record` says that the bytes lie in the entry's record, as attributes and small files do.
pub(super) fn of(
    state: Option<State>,
    fs: Option<&str>,
    special: Option<Special>,
    in_record: bool,
) -> Option<&'static str> {
    match special.filter(|_| matches!(state, Some(State::Allocated | State::Orphan | State::Swap))) {
        Some(special) => Some(of_special(special)),
        None if state == Some(State::Deleted) && in_record => Some(
            "It lies in a record of the file system's tables, or in a copy of one in its journal, which wiping \
             free space does not reach: copy the files onto a volume made anew, then export the image.",
        ),
        None => of_state(state?, fs),
    }
}

fn of_special(special: Special) -> &'static str {
    match special {
        Special::SwapFile => {
            "It lies in a swap file: turn it off (swapoff), delete it, erase free space, make a fresh one."
        }
        Special::PageFile => {
            "It lies in the page file: let Windows clear it when it shuts down (ClearPageFileAtShutdown), or \
             delete it offline and erase free space."
        }
        Special::Hibernation => {
            "It lies in saved memory: turn hibernation off (powercfg /h off; on Linux start once without \
             resuming), then erase free space or overwrite the swap space."
        }
        Special::CoreDump | Special::CrashDump | Special::KernelDump => {
            "It lies in a memory dump: delete the dump and erase free space."
        }
        Special::ShadowCopy => {
            "It lies in a volume shadow copy: delete the shadow copies (vssadmin delete shadows /all), then erase \
             free space (cipher /w or sdelete -z)."
        }
    }
}

fn of_state(state: State, fs: Option<&str>) -> Option<&'static str> {
    let is_ext = fs.is_some_and(|fs| fs.starts_with("ext"));
    let is_ntfs = fs == Some("ntfs");
    Some(match state {
        State::Deleted | State::Unallocated if is_ext => {
            "It lies in free space, which deleting does not erase: overwrite free space (fstrim on storage that \
             discards, or zerofree on the unmounted file system), then export the image anew."
        }
        State::Deleted | State::Unallocated if is_ntfs => {
            "It lies in free space, which deleting does not erase: overwrite free space (cipher /w or sdelete -z), \
             then export the image anew."
        }
        State::Deleted | State::Unallocated => {
            "It lies in free space, which deleting does not erase: overwrite free space, or copy the files onto a \
             volume made anew, then export the image."
        }
        State::Orphan => {
            "It lies in a file that was removed while it was open: end the process or restart (or check the file \
             system), then overwrite free space."
        }
        State::Slack => {
            "It lies behind the end of what uses the block, where wiping free space does not reach: copy the files \
             onto a volume made anew, or rewrite the file and then overwrite free space."
        }
        State::Stale => {
            "It lies in blocks that a file reserves and has not written: copy the file, delete the original, then \
             overwrite free space."
        }
        State::Journal if is_ext => {
            "It lies in the journal: clean up first, then remove the journal and make it again on the unmounted \
             file system (tune2fs -O ^has_journal, zerofree, tune2fs -j)."
        }
        State::Journal => "It lies in the journal: clean up, then copy the files onto a volume made anew.",
        State::Swap => {
            "It lies in swap space: turn it off, overwrite it (blkdiscard or dd), make it again (mkswap), and export \
             the image anew."
        }
        State::Unpartitioned => {
            "It lies outside of all partitions: overwrite those sectors with zeros, or copy the partitions onto a \
             disk made anew."
        }
        State::Metadata => {
            "It lies in tables of the file system or the disk: copy the files onto a volume made anew."
        }
        State::Container => {
            "It lies in the image file outside of the disk: convert the image into a new file (qemu-img convert)."
        }
        State::Allocated => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_that_of_files_in_use_has_a_remedy_of_its_own() {
        let states = [
            State::Deleted,
            State::Orphan,
            State::Slack,
            State::Stale,
            State::Journal,
            State::Swap,
            State::Metadata,
            State::Unpartitioned,
            State::Container,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for state in states {
            assert!(seen.insert(of(Some(state), Some("ext4"), None, false).unwrap()), "{state:?}");
        }
        assert!(seen.insert(of(Some(State::Deleted), Some("ext4"), None, true).unwrap()));
        assert_eq!(of(Some(State::Allocated), Some("ext4"), None, false), None);
        assert!(of(Some(State::Deleted), Some("ext4"), None, false).unwrap().contains("zerofree"));
        assert!(of(Some(State::Unallocated), Some("ntfs"), None, false).unwrap().contains("sdelete"));
        assert!(
            of(Some(State::Allocated), Some("ext4"), Some(Special::SwapFile), false)
                .unwrap()
                .contains("swapoff")
        );
        for dump in [Special::CoreDump, Special::CrashDump, Special::KernelDump] {
            let remedy = of(Some(State::Allocated), Some("ext4"), Some(dump), false);
            assert!(remedy.unwrap().contains("memory dump"), "{dump:?}");
        }
        // A deleted swap file is free space first of all.
        assert!(
            of(Some(State::Deleted), Some("ext4"), Some(Special::SwapFile), false)
                .unwrap()
                .contains("zerofree")
        );
    }
}
