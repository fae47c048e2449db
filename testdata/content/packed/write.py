"""Writes archives that need no program of their own: write.py planted|control FOLDER"""
import base64
import io
import pathlib
import sys
import zipfile
import zlib

kind, out = sys.argv[1], pathlib.Path(sys.argv[2])


def key(suffix):
    return f"AKIAQ3EGRXWVJT5KL{suffix}" if kind == "planted" else f"controlcontrolcon{suffix}"


def text(suffix):
    return "".join(f"{n}\n" for n in range(300)) + f"aws_access_key_id = {key(suffix)}\n" + "end\n" * 50


def zipped(members, method=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, suffix in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, text(suffix))
    return content.getvalue()


class Pipe(io.BytesIO):
    """Cannot be read again, so that zip writes the sizes behind the data."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation("seek")

    def tell(self):
        raise io.UnsupportedOperation("tell")


(out / "lzma.zip").write_bytes(zipped([("conf", "5AA")], zipfile.ZIP_LZMA))
# An archive that a script starts, with places that do not count the script, and with ones that do.
script = b'#!/bin/sh\nexec java -jar "$0" "$@"\n'
(out / "app.jar").write_bytes(script + zipped([("conf", "5AB")]))
counted = io.BytesIO()
counted.write(b"#!/usr/bin/env python3\n")
with zipfile.ZipFile(counted, "a", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr(zipfile.ZipInfo("__main__.py"), text("5AC"), zipfile.ZIP_DEFLATED)
(out / "app.pyz").write_bytes(counted.getvalue())
# Archives that were cut: the directory is gone.
(out / "cut.zip").write_bytes(zipped([("one", "5AD"), ("two", "5AE")])[:-120])
piped = Pipe()
with zipfile.ZipFile(piped, "w", zipfile.ZIP_DEFLATED) as archive:
    for name, suffix in [("one", "5AF"), ("two", "5AG")]:
        archive.writestr(zipfile.ZipInfo(name), text(suffix), zipfile.ZIP_DEFLATED)
(out / "cut-piped.zip").write_bytes(piped.getvalue()[:-120])

objects = []
for suffix, filters, write in [
    ("5AH", "/ASCII85Decode", lambda b: base64.a85encode(b, wrapcol=72) + b"~>"),
    ("5AI", "[ /ASCII85Decode /FlateDecode ]", lambda b: base64.a85encode(zlib.compress(b), wrapcol=72) + b"~>"),
    ("5AJ", "[/AHx/Fl]", lambda b: zlib.compress(b).hex().upper().encode() + b">"),
]:
    data = write(f"BT ({'words ' * 30}{key(suffix)}) Tj ET".encode())
    number = len(objects) + 1
    objects.append(b"%d 0 obj\n<</Filter %s /Length %d>>\nstream\n%s\nendstream\nendobj\n"
                   % (number, filters.encode(), len(data), data))
(out / "ascii.pdf").write_bytes(b"%PDF-1.4\n" + b"".join(objects) + b"trailer<</Size 4>>\n%%EOF\n")
