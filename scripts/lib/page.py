"""A page in one HTML file that needs no other: that of `darknet snn look` and of a training's NAME.html, for reports.

layers/inspect/snn_page.h has the form of the facts and sections; beside its kinds of sections there is
{"kind": "html", "title", "html"}.
"""
import ast
import json
import os
import re

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../layers/inspect/snn_page_template.h")


def template():
    """Style and script, from the C strings that they are compiled as."""
    with open(TEMPLATE) as f:
        return "\n".join(ast.literal_eval(line) for line in re.findall(r'^    (".*"),$', f.read(), re.M))


def text(title, subtitle, facts, sections):
    content = json.dumps({"title": title, "subtitle": subtitle, "facts": facts, "sections": sections})
    # "<" would end a string of the page in "</script>".
    content = content.replace("<", "\\u003c").replace("NaN", "null").replace("Infinity", "null")
    return ('<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<script>\nconst page = {content};\ndocument.title = page.title;\n</script>\n{template()}\n</html>\n")


def html(title, content):
    return {"kind": "html", "title": title, "html": content}


def lines(title, axis, series, logarithmic=False):
    """series: [(name, index of its colour, x, y)]; equal names are named once."""
    return {"kind": "lines", "title": title, "x": axis, "log": logarithmic, "zero": not logarithmic,
            "series": [{"name": name, "colour": colour, "faint": False, "x": list(x), "y": list(y)}
                       for name, colour, x, y in series]}
