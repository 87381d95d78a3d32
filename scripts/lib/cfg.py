"""A Darknet cfg as text: its sections and their keys, each with its line; the only reader of cfgs in Python.

The host's reading: blanks do not count, # and ; begin comment lines, of a key
that is repeated the first one holds. What is read keeps its comments and is
written again as it was.
"""
import re

NET = ("net", "network")


class Mistakes(Exception):
    """What is wrong with a user's files, each a line of its own; args[0] is the list."""

    def __str__(self):
        return "\n".join(self.args[0])


def stripped(line):
    """A line as the host sees it."""
    return re.sub(r"[ \t\r\n]", "", line)


class Section:
    """A section's name and its lines, comments and blank ones included.

    file, line: where it begins; line 0 where it was not read from a text.
    """

    def __init__(self, name, lines, line=0, file="cfg"):
        self.name, self.lines, self.line, self.file = name, lines, line, file

    @staticmethod
    def key_of(line):
        line = stripped(line)
        return line.split("=", 1)[0] if "=" in line and line[0] not in "#;" else None

    def place(self, key):
        """Where the key stands among the lines, or None."""
        return next((i for i, line in enumerate(self.lines) if self.key_of(line) == key), None)

    def get(self, key, default=None):
        at = self.place(key)
        return default if at is None else stripped(self.lines[at]).split("=", 1)[1]

    def keys(self):
        """{key: value}"""
        found = {}
        for line in self.lines:
            if self.key_of(line):
                found.setdefault(self.key_of(line), stripped(line).split("=", 1)[1])
        return found

    def set(self, key, value):
        """Replaces the key where it stands, or adds it; None drops it."""
        lines = [] if value is None else [f"{key}={value}"]
        at = self.place(key)
        if at is not None:
            self.lines[at:at + 1] = lines
            return
        end = max((i + 1 for i, line in enumerate(self.lines) if line.strip()), default=0)
        self.lines[end:end] = lines

    def mistake(self, key, expected, got=None):
        """file:line: [section] key: expected ..., got "..." """
        at = self.place(key) if key else None
        return (f"{self.file}:{self.line + (0 if at is None else at + 1)}: [{self.name}]{' ' + key if key else ''}: "
                f"expected {expected}" + (f', got "{got}"' if got is not None else ""))


def parse(text, file="cfg"):
    """(lines before the first section, [Section])."""
    head, sections = [], []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"\[([^\]]*)\]?$", stripped(line))
        if match:
            sections.append(Section(match[1], [], number, file))
        else:
            (sections[-1].lines if sections else head).append(line)
    return head, sections


def render(head, sections):
    return "\n".join(head + [line for s in sections for line in [f"[{s.name}]"] + s.lines]) + "\n"


def read(file):
    """([net], [layer's Section]) of a file. Raises Mistakes where it is no cfg."""
    try:
        with open(file, encoding="utf-8", errors="replace") as f:
            _, sections = parse(f.read(), file)
    except OSError as error:
        raise Mistakes([f"{file}: cannot be read: {error.strerror}"]) from error
    if not sections or sections[0].name not in NET:
        raise Mistakes([f"{file}: expected a cfg that begins with [net]"])
    return sections[0], sections[1:]
