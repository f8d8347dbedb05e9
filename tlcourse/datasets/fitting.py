"""Does tensorflow-datasets start beside the other packages that are here?"""

from importlib import metadata


def fault() -> str | None:
    """Why it does not, and the cure; None if it does. TensorFlow is not started.

    TensorFlow 2.19 holds protobuf at 5. tensorflow-metadata, which tensorflow-datasets is built on, is made for
    protobuf 6 from 1.18 on and does not say so to pip: the two are installed together, and tensorflow-datasets then
    comes up empty.
    """
    try:
        from tensorflow_metadata.proto.v0 import schema_pb2  # noqa: F401
    except ImportError as error:
        return f"tensorflow-datasets does not start ({error}). Run: pip install --force-reinstall tensorflow-datasets"
    except Exception:  # protobuf's VersionError, which older versions of it do not have
        needing, had = (
            metadata.version("tensorflow-metadata"),
            metadata.version("protobuf"),
        )
        return (
            f"tensorflow-datasets does not start: tensorflow-metadata {needing} needs a newer protobuf than the {had} "
            'that TensorFlow is installed with. Run: pip install "tensorflow-metadata<1.18", and restart the kernel.'
        )
    return None
