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
    {"type": "summary", "image": "web%0A1.qcow2",
     "by_severity": {"critical": 4, "high": 3, "medium": 3, "low": 1},
     "by_category": {"private-key": 4, "cloud-key": 2, "password-hash": 1, "leftover": 3,
                     "generic-password/api-key": 1},
     "possible": 5, "known_good": 1, "counted_only": 0,
     "coverage": {"size": 64 * MIB, "scanned": 30 * MIB, "blank": 34 * MIB, "unread": 0, "decoded": MIB,
                  "opaque": 22 * MIB},
     "gaps": {"opaque": 1, "damaged": 1},
     "checks": [
         {"check": "shell-history", "item": "linux-history", "state": "finding", "count": 2},
         {"check": "tmp-file", "item": "linux-temporary", "state": "finding", "count": 1},
         {"check": "machine-id", "item": "linux-identity", "state": "clean"},
         {"check": "sysprep-state", "item": "windows-users", "state": "not_evaluated",
          "reason": "no Windows system on this disk"},
     ],
     "fail_on": "medium", "failing": 9, "allowed": 0, "in_baseline": 0, "image_sha256": "00ff" * 16,
     "exit_reason": "incomplete"},
]

out = pathlib.Path(__file__).with_name("scan.jsonl")
out.write_text("".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n" for record in RECORDS))
