"""A repository of three levels for engine tests; TINY stands for a base image, MINE- begins a name."""

from __future__ import annotations

LAYERS = {
    "docker-bake.hcl": """
        variable "WORD" { default = "one" }
        group "default" { targets = ["api", "web"] }
        target "base" {
          context = "base"
          args = { WORD = WORD }
        }
        target "lib" {
          context = "lib"
          contexts = { base = "target:base" }
          tags = ["MINE-lib"]
        }
        target "service" {
          name = item
          matrix = { item = ["api", "web"] }
          context = "service"
          contexts = { lib = "target:lib" }
          args = { NAME = item }
          tags = ["MINE-${item}:1"]
        }
        """,
    "base/Dockerfile": "FROM TINY\nARG WORD\nRUN echo $WORD > /out\n",
    "lib/Dockerfile": "FROM base\nRUN echo lib >> /out\n",
    "service/Dockerfile": "FROM lib\nARG NAME\nRUN echo $NAME >> /out\n",
}
