"""Pictures and sentences → features: read, run through a frozen network once, kept in a cache."""
