"""The shared-account adapter, against vectors made elsewhere and a platform of the tests' own."""
