"""Pictures and sentences → features: computed once by a frozen network, cached."""
