"""`python -m mer_kit` is `mer-kit`."""

from mer_kit.cli import main

main()
