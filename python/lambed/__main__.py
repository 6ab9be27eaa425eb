"""`python -m lambed` is the program `lambed`."""

from lambed._program import main

main()
