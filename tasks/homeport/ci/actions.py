"""The actions that workflows use, by commit: a tag can be moved, a commit can't.

Each SHA is what the release's tag points to in the action's own public repository (github.com/OWNER/NAME),
read there with ``git rev-parse TAG^{commit}``.
"""

from __future__ import annotations

from types import MappingProxyType

PINS = MappingProxyType(
    {
        "actions/checkout": ("de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6.0.2"),
        "actions/setup-python": ("a309ff8b426b58ec0e2a45f0f869d46889d02405", "v6.2.0"),
        "actions/upload-artifact": ("b7c566a772e6b6bfb58ed0dc250532a479d7789f", "v6.0.0"),
        "actions/download-artifact": ("37930b1c2abaa49bbe596cd826c3c89aef350131", "v7.0.0"),
        "aws-actions/configure-aws-credentials": ("e6de054238d6b7531b4efff3b6587d9aade6a06c", "v6.2.3"),
        "azure/login": ("f5d393ae46f8fde4be8b75f32e3fc50e654ad0ca", "v3.0.1"),
        "google-github-actions/auth": ("7c6bc770dae815cd3e89ee6cdf493a5fab2cc093", "v3.0.0"),
        # In the repository github/codeql-action, folder upload-sarif.
        "github/codeql-action/upload-sarif": ("9e907b5e64f6b83e7804b09294d44122997950d6", "v4.32.3"),
    }
)
"""By name the commit, and the release that it is."""


def pinned(name: str) -> str:
    """The value of ``uses:``, with the release as the comment that update bots read."""
    commit, release = PINS[name]
    return f"{name}@{commit} # {release}"
