"""For instructors and maintainers, run from a checkout: handouts, kits, packs, doctor.

``python -m workshop --help`` lists the commands. Nothing of this is in the wheel, and
nothing in ``tlcourse`` imports it.
"""
