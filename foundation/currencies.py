"""How many decimals a currency has by ISO 4217: the scale at which every amount is kept (R2.7).

The table is our own and not a library's (docs/adr/0007): Babel has the digits that are usually shown, which differ for
some currencies and between releases, and a wrong scale would change every balance.
"""

_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP
    COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR
    JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN
    NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_OTHERS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: places for places, codes in (_OTHERS | {2: _TWO_DECIMALS}).items() for code in codes.split()}
# Metals, units of account, and the codes for tests and for no currency: ISO 4217 gives them no minor unit.
_NOT_DIVIDED = frozenset(["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"])


class UnknownCurrency(ValueError):
    """Not a currency that a bank can keep amounts in; `str()` says why, on one line."""


def exponent_of(currency: str) -> int:
    """Return the decimals of a currency: 2 for EUR and RSD, 0 for JPY, 3 for BHD, 4 for UYW.

    Raises:
        UnknownCurrency: no code of ISO 4217, or one without a minor unit (XAU, XXX).
    """
    if currency in _NOT_DIVIDED:
        raise UnknownCurrency(f"{currency} has no minor unit in ISO 4217, so a bank cannot keep amounts in it.")
    if currency not in _EXPONENTS:
        raise UnknownCurrency(f"{currency!r} is no currency of ISO 4217: write three capital letters, like EUR.")
    return _EXPONENTS[currency]
