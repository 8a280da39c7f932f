"""Stage sign: Authenticode signatures, through osslsigncode."""

from aotwin.stages.sign.signer import Signer, open_signer, sign_dll

__all__ = ["Signer", "open_signer", "sign_dll"]
