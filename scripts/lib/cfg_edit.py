"""Changes to a cfg, one line each: the ablations of a comparison.

    key=value                       a key of [net]
    SECTION.key=value               a key of every [SECTION]
    SECTION.key=old>value           of those that have the value `old`
    SECTION#-1.key=value            of the last one (#0: the first)
    SECTION.key=                    the key is dropped
    -SECTION                        every [SECTION] is dropped
    SECTION>OTHER                   every [SECTION] becomes an [OTHER]
    SECTION+[NEW] k=v ..            a [NEW] after every [SECTION]; after [net]: first
    SECTION.key=value+[NEW] k=v ..  a [NEW] after every [SECTION] with that value

Layers that [route] and [shortcut] name stay the same ones: their numbers
follow. A layer that is dropped gives way to the one before it, and one that is
put behind another takes that one's place.
"""
import re

from lib.cfg import NET, Section, parse, render

WHERE = r"^(?P<section>\w+)(?:#(?P<number>-?\d+))?"
CHANGE = re.compile(WHERE + r"\.(?P<key>\w+)=(?P<value>[^+]*)$")
INSERT = re.compile(WHERE + r"(?:\.(?P<key>\w+)=(?P<value>[^+]*))?\+\[(?P<name>\w+)\](?P<keys>.*)$")
REFERENCES = {"route": "layers", "shortcut": "from"}


class Mistake(Exception):
    """A sentence about a change that cannot be made."""


def resolve(layers):
    """{layer: (key, [layer])}: the layers that each [route] and [shortcut] names."""
    named = {}
    for at, layer in enumerate(layers):
        key = REFERENCES.get(layer.name)
        if key and layer.get(key):
            numbers = [int(n) for n in layer.get(key).split(",")]
            if any(not -at <= n < at for n in numbers):
                raise Mistake(f"[{layer.name}] {key}: expected earlier layers, got \"{layer.get(key)}\"")
            named[layer] = key, [layers[at + n if n < 0 else n] for n in numbers], [n < 0 for n in numbers]
    return named


def renumber(layers, named, heirs):
    """Writes the numbers that the named layers have now; relative ones stay so."""
    for at, layer in enumerate(layers):
        if layer not in named:
            continue
        key, targets, relative = named[layer]
        numbers = []
        for target, from_here in zip(targets, relative):
            while target in heirs:
                target = heirs[target]
            number = layers.index(target)
            numbers.append(number - at if from_here else number)
        layer.set(key, ",".join(map(str, numbers)))


def chosen(sections, change, name, number=None):
    own = [s for s in sections if s.name == name or name in NET and s.name in NET]
    if number is not None and own:
        own = own[int(number):][:1] if int(number) >= 0 else own[int(number):int(number) + 1 or None]
    if not own:
        raise Mistake(f"{change}: expected a [{name}] in the cfg, got none")
    return own


def apply(sections, change, heirs):
    """Makes one change to the list of sections."""
    if re.match(r"^-\w+$", change):
        for section in chosen(sections, change, change[1:]):
            at = sections.index(section)
            if at < 2:
                # Only what names the layer itself would miss it.
                if len(sections) > 2:
                    heirs[section] = sections[at + 1]
            else:
                heirs[section] = sections[at - 1]
            sections.remove(section)
        return
    match = re.match(r"^(\w+)>(\w+)$", change)
    if match:
        for section in chosen(sections, change, match[1]):
            section.name = match[2]
        return
    if re.match(r"^\w+=", change):
        change = "net." + change
    match = INSERT.match(change)
    if match:
        for section in chosen(sections, change, match["section"], match["number"]):
            if match["key"] and section.get(match["key"]) != match["value"]:
                continue
            new = Section(match["name"], match["keys"].split() + [""])
            sections.insert(sections.index(section) + 1, new)
            heirs[section] = new
        return
    match = CHANGE.match(change)
    if not match:
        raise Mistake(f'expected a change such as key=value or convolutional.init=he_normal, got "{change}"')
    old, arrow, value = match["value"].rpartition(">")
    for section in chosen(sections, change, match["section"], match["number"]):
        if not arrow or section.get(match["key"]) == old:
            section.set(match["key"], value or None)


def edit(text, changes):
    """The cfg text with a list of changes made, in order."""
    for change in changes:
        head, sections = parse(text)
        named, heirs = resolve(sections[1:]), {}
        apply(sections, change, heirs)
        # What is put behind a layer does not name itself.
        renumber(sections[1:], named, heirs)
        text = render(head, sections)
    return text
