"""Which file systems are silent."""

from __future__ import annotations

import pytest

from devloop.watch.mounts import silent_in

TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 0:40 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync
31 27 0:41 / /home/me/my\\040share rw shared:1 master:2 - fuse.sshfs me@host: rw
32 27 0:42 / /home/me/nas rw - nfs4 nas:/ rw
33 32 0:43 / /home/me/nas/local rw - ext4 /dev/sdb rw
34 27 0:44 / /home/me/stacked rw - ext4 /dev/sdc rw
35 27 0:45 / /home/me/stacked rw - virtiofs tag rw
36 27 0:46 / /media/stick rw - fuseblk /dev/sdd rw
a line that says nothing
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/project", None),
        ("/mnt/c/project", "9p"),
        ("/mnt/cd/project", None),
        ("/home/me/my share/project", "fuse.sshfs"),
        ("/home/me/nas", "nfs4"),
        ("/home/me/nas/local/project", None),
        ("/home/me/stacked/project", "virtiofs"),
        ("/media/stick/project", None),
    ],
)
def test_the_mount_that_holds_a_place_decides(place: str, kind: str | None) -> None:
    """The longest mount point above it, of several at one place the last."""
    assert silent_in(TABLE, place) == kind
