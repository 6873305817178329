"""Mean-field learning dynamics of wide bottleneck autoencoders.

The public names stand in ``__init__.pyi``. Each is loaded when it is first used, so that importing the package, or
asking the command line for its version, does not pay for JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
