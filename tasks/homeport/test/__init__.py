"""The flow of ``test``: unit tests in the build, the stack beside the one that runs, tests of the stack."""
