#!/usr/bin/env python3
"""Writes scan.jsonl: the records of a scan that has one of everything that reports show.

Secrets here are made up; `secret_masked` is all that a report ever gets of them.
"""
import json
import pathlib

MIB = 1 << 20


def place(volume, fs=None, path=None, **more):
    record = {"image": "web%0A1.qcow2", "volume": volume}
    if fs:
        record["fs"] = fs
    if path:
        record["path"] = path
    record.update(more)
    return record


def finding(number, rule, category, severity, verdict, title, where, **more):
    record = {"type": "finding", "id": f"{number:016x}", "rule": rule, "category": category,
              "severity": severity, "verdict": verdict, "title": title}
    record.update(where)
    record.update(more)
    return record


def zone(state, size, scanned, shares, scanned_shares):
    record = {"state": state} if state else {}
    record.update({"size": size * MIB, "scanned": scanned * MIB, "unread": 0, "shares": shares})
    if scanned_shares:
        record["scanned_shares"] = scanned_shares
    return record


KEY = {"length": 411, "secret_masked": "---- (411 bytes)".replace("----", "----…"),
       "fingerprint": "6b1f0c2a9d3e4f5061728394a5b6c7d8",
       "remedy": "Delete the file and revoke the public key wherever it is authorised."}
OWNER = {"mtime": "2026-03-01T10:00:12.123456789Z", "owner_uid": 1000, "owner": "deploy"}

RECORDS = [
    {"type": "scan", "schema": 1, "version": "0.1.0", "image": "web%0A1.qcow2",
     "container": {"format": "qcow2", "version": "3", "virtual_size": 64 * MIB, "stored_size": 3 * MIB + 4096},
     "scheme": "gpt",
     "volumes": [
         {"name": "unpartitioned", "kind": "table", "disk_offset": 0, "size": MIB},
         {"name": "p1", "kind": "partition", "type_id": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
          "type_name": "Linux filesystem", "label": "root <b>", "disk_offset": MIB, "size": 40 * MIB,
          "filesystem": {"kind": "ext4", "label": "root", "uuid": "8f6b2f0e-0000-4000-8000-000000000001",
                         "block_size": 4096, "size": 40 * MIB}},
         {"name": "p2", "kind": "partition", "type_id": "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
          "disk_offset": 41 * MIB, "size": 22 * MIB,
          "filesystem": {"kind": "luks", "block_size": 512, "size": 22 * MIB}},
         {"name": "unpartitioned", "kind": "gap", "disk_offset": 63 * MIB, "size": MIB},
     ],
     "rules_digest": "2f0a"},
    finding(1, "private-key", "private-key", "critical", "proven", "OpenSSH private key, not encrypted",
            place("p1", "ext4", "/home/deploy/.ssh/id_ed25519", inode=1204, state="allocated", file_offset=0,
                  line=1, disk_offset=9 * MIB, image_offset=2 * MIB),
            **KEY, **OWNER, copies=[12 * MIB, 13 * MIB],
            evidence=["key type: ssh-ed25519", "comment: deploy@build-7"]),
    finding(2, "private-key", "private-key", "critical", "proven", "OpenSSH private key, not encrypted",
            place("p1", "ext4", "/home/deploy/old: key @ 1", inode=1300, state="deleted", file_offset=0,
                  disk_offset=10 * MIB), **KEY),
    finding(3, "private-key", "private-key", "critical", "proven", "OpenSSH private key, not encrypted",
            place("p1", "ext4", state="unallocated", disk_offset=20 * MIB), **KEY),
    finding(4, "alibaba-access-key-id", "cloud-key", "high", "likely", "Alibaba Cloud AccessKey ID",
            place("p1", "ext4", "/srv/app/%1B[31mconfig.yml", inode=77, state="allocated", file_offset=120,
                  line=9, disk_offset=11 * MIB), length=24, secret_masked="LTAI… (24 bytes)",
            fingerprint="aa00", pair="0000000000000005", remedy="Disable the AccessKey in RAM, then delete it.",
            mtime="2026-02-01T00:00:00.000000000Z", owner_uid=0),
    finding(5, "alibaba-access-key-secret", "cloud-key", "critical", "likely", "Alibaba Cloud AccessKey secret",
            place("p1", "ext4", "/srv/app/%1B[31mconfig.yml", inode=77, state="allocated", file_offset=160,
                  line=10, disk_offset=11 * MIB + 40), length=30, secret_masked="xY7k… (30 bytes)",
            fingerprint="aa01", pair="0000000000000004", remedy="Disable the AccessKey in RAM, then delete it.",
            mtime="2026-02-01T00:00:00.000000000Z", owner_uid=0),
    finding(6, "shadow-password-hash", "password-hash", "high", "proven", "Password hash of root",
            place("p1", "ext4", "/etc/shadow", inode=12, state="allocated", file_offset=5, line=1,
                  disk_offset=8 * MIB), length=106, secret_masked="$6$r… (106 bytes)", fingerprint="bb00",
            remedy="passwd -l root", evidence=["algorithm: sha512-crypt", "user: root"]),
    finding(7, "shell-history", "leftover", "medium", "proven", "Shell history",
            place("p1", "ext4", "/root/.bash_history", inode=20, state="allocated"),
            remedy="rm -f /root/.bash_history /home/*/.bash_history", evidence=["lines: 12"]),
    finding(8, "shell-history", "leftover", "medium", "proven", "Shell history",
            place("p1", "ext4", "/home/deploy/.bash_history", inode=21, state="allocated"),
            remedy="rm -f /root/.bash_history /home/*/.bash_history", evidence=["lines: 3"]),
    finding(9, "generic-password", "generic-password/api-key", "medium", "likely", "Password in an assignment",
            place("p1", "ext4", "/srv/app.jar", inode=90, state="allocated",
                  member="BOOT-INF/application.properties", file_offset=33, line=2), length=12,
            secret_masked="ab… (12 bytes)", fingerprint="cc00", remedy="Take it out of the archive."),
    finding(10, "private-key", "private-key", "high", "proven", "RSA private key, not encrypted",
            place("p1", "ext4", "/usr/share/doc/x/test.key", inode=91, state="allocated", file_offset=0, line=1,
                  disk_offset=14 * MIB), length=1700, secret_masked="----… (1700 bytes)", fingerprint="dd00",
            known_good="unchanged file of package x 1.0", remedy="Nothing to do."),
    finding(11, "tmp-file", "leftover", "low", "proven", "=File left in a temporary directory",
            place("p1", "ext4", "/tmp/<script>alert(1)</script>", inode=92, state="allocated"),
            remedy="rm -rf /tmp/*"),
    {"type": "gap", "kind": "opaque", "volume": "p2", "disk_offset": 41 * MIB, "length": 22 * MIB,
     "reason": "LUKS2: the content is encrypted"},
    {"type": "gap", "kind": "damaged", "volume": "p1", "path": "inode:400",
     "reason": "corrupt at byte 0x1c: extent magic: expected 0xf30a, found 0x0"},
    {"type": "key", "role": "private", "fingerprint": "SHA256:1B7Y4+Rbqfbye+TvbD6HchIcE8nKmTxNjgJb0hJGgg0",
     "algorithm": "ssh-ed25519", "image": "web%0A1.qcow2", "volume": "p1", "path": "/home/deploy/.ssh/id_ed25519",
     "inode": 1204, "state": "allocated", "line": 1, "disk_offset": 9 * MIB, "finding": f"{1:016x}",
     "encrypted": False, "accounts": ["deploy"], "comment": "deploy@build-7"},
    {"type": "key", "role": "authorized", "fingerprint": "SHA256:1B7Y4+Rbqfbye+TvbD6HchIcE8nKmTxNjgJb0hJGgg0",
     "algorithm": "ssh-ed25519", "image": "web%0A1.qcow2", "volume": "p1", "path": "/root/.ssh/authorized_keys",
     "inode": 31, "line": 2, "accounts": ["root"], "limits": ["from"], "comment": "deploy@build-7"},
    {"type": "history", "time": "2026-02-28T09:59:58.000000000Z", "shell": "bash", "account": "deploy",
     "command": "mysql -h … -p…", "image": "web%0A1.qcow2", "volume": "p1", "path": "/home/deploy/.bash_history",
     "inode": 21, "line": 2},
    {"type": "map", "image": "web%0A1.qcow2", "size": 64 * MIB, "bucket_size": 2 * MIB, "zones": [
        zone(None, 22, 22, [0] * 20 + [50] + [100] * 10 + [50], [0] * 20 + [50] + [100] * 10 + [50]),
        zone("allocated", 12, 12, [0, 100, 60, 100, 100, 90, 80, 70] + [0] * 24,
             [0, 100, 60, 100, 100, 90, 80, 70] + [0] * 24),
        zone("deleted", 2, 2, [0] * 5 + [10, 20, 30, 40] + [0] * 23, [0] * 5 + [10, 20, 30, 40] + [0] * 23),
        zone("slack", 1, 1, [0, 1, 40, 1, 1, 10, 1, 1] + [0] * 24, [0, 1, 40, 1, 1, 10, 1, 1] + [0] * 24),
        zone("unallocated", 23, 3, [0] * 8 + [60] + [100] * 11 + [50] + [0] * 11,
             [0] * 8 + [60, 70, 5] + [0] * 21),
        zone("metadata", 2, 1, [50, 50] + [0] * 30, [20, 20] + [0] * 30),
        zone("unpartitioned", 2, 0, [50] + [0] * 30 + [50], []),
    ]},
    {"type": "summary", "image": "web%0A1.qcow2",
     "by_severity": {"critical": 4, "high": 3, "medium": 3, "low": 1},
     "by_category": {"private-key": 4, "cloud-key": 2, "password-hash": 1, "leftover": 3,
                     "generic-password/api-key": 1},
     "possible": 5, "known_good": 1, "counted_only": 0,
     "coverage": {"size": 64 * MIB, "scanned": 30 * MIB, "blank": 34 * MIB, "unread": 0, "decoded": MIB,
                  "opaque": 22 * MIB},
     "gaps": {"opaque": 1, "damaged": 1},
     "checks": [
         {"check": "shell-history", "item": "shell history", "state": "finding", "count": 2},
         {"check": "tmp-file", "item": "temporary files and logs", "state": "finding", "count": 1},
         {"check": "machine-id", "item": "instance identity", "state": "clean"},
         {"check": "sysprep-state", "item": "Sysprep", "state": "not_evaluated",
          "reason": "not applicable: no Windows system on this disk"},
     ],
     "unchecked": 0, "fail_on": "medium", "failing": 9, "allowed": 0, "in_baseline": 0, "image_sha256": "00ff" * 16,
     "exit_reason": "incomplete"},
]

out = pathlib.Path(__file__).with_name("scan.jsonl")
out.write_text("".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in RECORDS))
