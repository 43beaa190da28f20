"""A hook of mkdocs: pages of the repository's root become pages of the site, and links to them and from them hold."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md"} | {
    name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
}
"""Where a page of the root is in the site."""
_INTO_DOCS = re.compile(r"\]\(docs/")
_OUT_OF_DOCS = re.compile(rf"\]\(((?:\.\./)*)\.\./({'|'.join(PAGES)})")
_LICENCE = re.compile(r"\[([^]]*)\]\(LICENSE\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for source, page in PAGES.items():
        text = _INTO_DOCS.sub("](", (ROOT / source).read_text())
        for name, other in PAGES.items():
            text = text.replace(f"]({name}", f"]({other}")
        files.append(File.generated(config, page, content=_LICENCE.sub(r"\1", text)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Point links out of docs/ to where the pages of the root are."""
    return _OUT_OF_DOCS.sub(lambda link: f"]({link[1]}{PAGES[link[2]]}", markdown)
