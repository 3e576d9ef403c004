"""A guided wizard that moves a running application to new AWS infrastructure."""

__version__ = "0.1.0"
