"""What every adapter is built from: the one HTTP door, key loading, signing, settings, wire parsing."""
