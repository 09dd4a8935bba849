//! Files next to the database: whether they are on a network file system, where locks and the
//! write-ahead log can't be relied on, and that nobody else can read, lock or replace them.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Options that create a file only this user can read and write.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a new file that only this user can read. It never opens an existing one.
///
/// # Errors
/// Those of the system, such as that the file exists.
pub(in crate::db) fn create_new_private(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

/// Creates a folder that only this user can read, and corrects the permissions of an existing one
/// and of the files in it: whoever can open a lock can hold it.
///
/// # Errors
/// Those of the system; a file of somebody else in the folder is not an error.
pub(in crate::db) fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => make_private(path),
        Err(e) => Err(e),
    }
}

/// Removes the permissions of others on a folder and the files in it.
#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let take = |path: &Path, mode: u32| -> io::Result<()> {
        let now = path.symlink_metadata()?;
        match now.is_symlink() || now.permissions().mode() & 0o777 == mode {
            true => Ok(()),
            false => std::fs::set_permissions(path, Permissions::from_mode(mode)),
        }
    };
    take(folder, 0o700)?;
    for file in std::fs::read_dir(folder)?.flatten() {
        // A file that is gone or not ours must not keep the others from being corrected.
        let _ = take(&file.path(), 0o600);
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The path of a file next to another: its name followed by `end`.
pub(in crate::db) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// How large a database is, in bytes.
pub(in crate::db) struct Sizes {
    /// Its file.
    pub(in crate::db) file: u64,
    /// The write-ahead log beside it.
    pub(in crate::db) log: u64,
}

impl Sizes {
    /// The sizes of a database; what can't be read counts as empty.
    pub(in crate::db) fn of(database: &Path) -> Sizes {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        Sizes {
            file: size(database),
            log: size(&with_end(database, "-wal")),
        }
    }
}

/// A path for SQLite: text, and never one of its URIs.
///
/// # Errors
/// If the path is not text, which SQLite requires.
pub(in crate::db) fn for_sqlite(path: &Path) -> io::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.into_os_string().into_string();
    text.map_err(|path| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "its path {} is not UTF-8 text, as SQLite needs it",
                OsStr::display(&path)
            ),
        )
    })
}

/// The kind of network file system that a file is on; `None` if it is local or unknown.
pub fn network_file_system(path: &Path) -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let magic = rustix::fs::statfs(path).ok()?.f_type;
        // The type is as wide as a machine word, and signed on some machines.
        #[allow(clippy::unnecessary_cast)]
        let magic = (magic as u64) & 0xffff_ffff;
        if magic == FUSE {
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
            let path = std::fs::canonicalize(path).ok()?;
            return network_mount(&mounts, &path).map(str::to_owned);
        }
        network_kind(magic).map(str::to_owned)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        None
    }
}

/// What `statfs` reports for every file system in user space, whatever is behind it.
#[cfg(target_os = "linux")]
const FUSE: u64 = 0x6573_5546;

/// The network file system with this number (statfs(2), `f_type`).
#[cfg(any(target_os = "linux", test))]
fn network_kind(magic: u64) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x0bd0_0bd0 => "lustre",
        _ => return None,
    })
}

/// The type of the mount that a path is on, if it is a network file system in user space; `mounts`
/// is the text of `/proc/self/mountinfo`.
#[cfg(any(target_os = "linux", test))]
fn network_mount<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    const REMOTE: [&str; 9] = [
        "sshfs",
        "rclone",
        "s3fs",
        "gcsfuse",
        "glusterfs",
        "ceph",
        "davfs",
        "curlftpfs",
        "smbnetfs",
    ];
    let mount = |line: &'a str| {
        let (fields, more) = line.split_once(" - ")?;
        // proc(5): blanks in a mount point are written as \040.
        let point = fields.split(' ').nth(4)?.replace("\\040", " ");
        Some((point, more.split(' ').next()?))
    };
    let (_, kind) = mounts
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| path.starts_with(point))
        // If several are mounted at one point, the last one is visible.
        .max_by_key(|(point, _)| point.len())?;
    let name = kind.strip_prefix("fuse.")?;
    REMOTE.contains(&name).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for (magic, kind) in [
            (0x6969, Some("nfs")),
            (0xff53_4d42, Some("cifs")),
            (0xfe53_4d42, Some("smb2")),
            (0x0102_1997, Some("9p")),
            // ext4, btrfs, xfs, tmpfs, overlayfs, zfs.
            (0xef53, None),
            (0x9123_683e, None),
            (0x5846_5342, None),
            (0x0102_1994, None),
            (0x794c_7630, None),
            (0x2fc1_2fc1, None),
        ] {
            assert_eq!(network_kind(magic), kind, "{magic:x}");
        }
    }

    #[test]
    fn a_file_system_in_user_space_is_known_by_its_mount() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
             40 22 0:50 / /mnt/far\\040away rw - fuse.sshfs me@there:/ rw\n\
             41 40 0:51 / /mnt/far\\040away/near rw - fuse.ntfs-3g /dev/sdb1 rw\n";
        for (path, kind) in [
            ("/mnt/far away/x.db", Some("fuse.sshfs")),
            ("/mnt/far away/near/x.db", None),
            ("/mnt/far/x.db", None),
            ("/x.db", None),
        ] {
            assert_eq!(network_mount(mounts, Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn a_temporary_folder_is_local() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(network_file_system(folder.path()), None);
    }
}
