#!/usr/bin/env python3
"""Prints the table of letter costs in words.rs.

  words.py FOLDER    counts over the Rust sources of every package below FOLDER (a cargo registry's `src`)

Words are runs of letters in names and comments; camel case is split. Those that occur eight times or more count,
each with the logarithm of its count, so that no package decides alone. The cost of a letter behind another is its
surprise in tenths of a bit, at most 99; the last row is the start of a word.
"""
import collections, math, pathlib, re, sys

LEAST_COUNT = 8
LICENCES = re.compile(r'license = "[^"]*(?:MIT|Apache-2.0|BSD|ISC|Zlib|Unlicense|CC0)')


def words(folder):
    counts = collections.Counter()
    packages = 0
    for manifest in sorted(pathlib.Path(folder).glob('**/Cargo.toml')):
        # Packages unpacked side by side; what they nest comes with them.
        if len(manifest.relative_to(folder).parts) > 3 or not LICENCES.search(manifest.read_text(errors='replace')):
            continue
        packages += 1
        for source in sorted(manifest.parent.glob('**/*.rs')):
            text = re.sub(r'"(?:[^"\\]|\\.)*"', ' ', source.read_text(errors='replace'))
            for run in re.findall(r'[A-Za-z]+', text):
                counts.update(part.lower() for part in re.findall(r'[A-Z]?[a-z]+|[A-Z]+(?![a-z])', run) if len(part) > 1)
    return {word: count for word, count in counts.items() if count >= LEAST_COUNT}, packages


def table(counts):
    seen = [[0.5] * 26 for _ in range(27)]
    for word, count in counts.items():
        before = 26
        for letter in word:
            at = ord(letter) - ord('a')
            seen[before][at] += math.log(count)
            before = at
    return [[min(99, round(-10 * math.log2(n / sum(row)))) for n in row] for row in seen]


if __name__ == '__main__':
    counts, packages = words(sys.argv[1])
    print('//', len(counts), 'words of', packages, 'packages')
    for row in table(counts):
        print('    [' + ', '.join(map(str, row)) + '],')
