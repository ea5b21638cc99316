"""The demonstration: an installation of its own, walked through from outside, over HTTP and the `jiaofei` command."""
