"""Configuration files: the ones in templates/, with ${names} filled in."""

from string import Template

from tests.provider.paths import HERE


def render(name: str, **values: object) -> str:
    """The template's text; a name without a value is an error."""
    return Template((HERE / "template_files" / name).read_text()).substitute(values)
