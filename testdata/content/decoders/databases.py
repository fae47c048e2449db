"""SQLite databases with a key where only the format shows it: databases.py FOLDER KEY…"""
import gzip
import os
import shutil
import sqlite3
import sys

folder, over, gone, freed, log, blob, wide = sys.argv[1:]


def create(name):
    path = os.path.join(folder, name)
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("pragma page_size=1024")
    base.execute("pragma synchronous=off")
    base.execute("pragma secure_delete=off")
    base.execute("create table notes (id integer primary key, body)")
    base.executemany("insert into notes(body) values (?)", [(f"note {n} " * 20,) for n in range(60)])
    return path, base


def split(name, key, then):
    """A row whose key lies over the end of an overflow page: fillers are tried until the file has it so."""
    for filler in range(0, 1100):
        path, base = create(name)
        text = " ".join(str(n) for n in range(1200)) + f" aws_access_key_id = {key} end" + "-" * filler
        text += " filler" * 200
        base.execute("insert into notes(id, body) values (1000, ?)", (text,))
        then(base)
        whole = open(path, "rb").read()
        if os.path.exists(path + "-wal"):
            whole += open(path + "-wal", "rb").read()
        if key.encode() not in whole and key[:4].encode() in whole and key[-4:].encode() in whole:
            if os.path.exists(path + "-wal"):
                shutil.copy(path, path + ".copy")
                shutil.copy(path + "-wal", path + ".log")
                base.close()
                os.replace(path + ".copy", path)
                os.replace(path + ".log", path + "-wal")
            else:
                base.close()
            return
        base.close()
        for rest in (path, path + "-wal", path + "-shm"):
            if os.path.exists(rest):
                os.remove(rest)
    raise SystemExit(f"{name}: no filler splits the key")


split("overflow.db", over, lambda base: None)
split("deleted.db", gone, lambda base: base.execute("delete from notes where id = 1000"))

path, base = create("freed.db")
base.execute("insert into notes(id, body) values (1000, ?)", (f"aws_access_key_id = {freed} end",))
base.execute("insert into notes(id, body) values (1001, 'stays')")
base.execute("delete from notes where id = 1000")
base.close()


def create_log(base):
    pass


# The log of a database that is in use: everything is in it, nothing in the database.
plain_create = create


def create(name):  # noqa: F811
    path, base = plain_create(name)
    base.execute("pragma journal_mode=wal")
    base.execute("pragma wal_autocheckpoint=0")
    return path, base


split("live.db", log, create_log)
create = plain_create

path, base = create("blob.db")
lines = "\n".join(str(n) for n in range(300)) + f"\naws_access_key_id = {blob}\n"
base.execute("insert into notes(id, body) values (7000, ?)", (gzip.compress(lines.encode(), mtime=0),))
base.close()

path = os.path.join(folder, "wide.db")
base = sqlite3.connect(path, isolation_level=None)
base.execute("pragma encoding='UTF-16le'")
base.execute("create table notes (body)")
base.execute("insert into notes(body) values (?)", (f"aws_access_key_id = {wide} end",))
base.close()
for name in os.listdir(folder):
    if name.endswith("-shm"):
        os.remove(os.path.join(folder, name))
