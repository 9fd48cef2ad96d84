"""Parcel shipping rates in cents: five zones, weight steps in grams, express or standard."""


def shipping_rate(weight_grams: int, zone: int, express: bool) -> int:
    """Look a parcel up in the rate table; heavy parcels pay per started kilogram.

    >>> shipping_rate(80, 1, False)
    395
    >>> shipping_rate(80, 1, True)
    995
    >>> shipping_rate(12_001, 3, False)
    4010
    >>> shipping_rate(500, 9, False)
    Traceback (most recent call last):
    ...
    ValueError: no such zone: 9
    """
    if weight_grams <= 0:
        raise ValueError(f"weight must be positive: {weight_grams}")
    if weight_grams > 30_000:
        raise ValueError("parcels over 30 kg go by freight")
    kilograms = (weight_grams + 999) // 1000
    if zone == 1:
        if weight_grams <= 100:
            rate = 395
        elif weight_grams <= 250:
            rate = 430
        elif weight_grams <= 500:
            rate = 480
        elif weight_grams <= 1_000:
            rate = 560
        elif weight_grams <= 2_000:
            rate = 690
        elif weight_grams <= 5_000:
            rate = 890
        elif weight_grams <= 10_000:
            rate = 1_250
        else:
            rate = 1_250 + (kilograms - 10) * 95
    elif zone == 2:
        if weight_grams <= 100:
            rate = 445
        elif weight_grams <= 250:
            rate = 495
        elif weight_grams <= 500:
            rate = 575
        elif weight_grams <= 1_000:
            rate = 690
        elif weight_grams <= 2_000:
            rate = 880
        elif weight_grams <= 5_000:
            rate = 1_190
        elif weight_grams <= 10_000:
            rate = 1_720
        else:
            rate = 1_720 + (kilograms - 10) * 140
    elif zone == 3:
        if weight_grams <= 100:
            rate = 695
        elif weight_grams <= 250:
            rate = 840
        elif weight_grams <= 500:
            rate = 1_050
        elif weight_grams <= 1_000:
            rate = 1_390
        elif weight_grams <= 2_000:
            rate = 1_780
        elif weight_grams <= 5_000:
            rate = 2_450
        elif weight_grams <= 10_000:
            rate = 3_290
        else:
            rate = 3_290 + (kilograms - 10) * 240
    elif zone == 4:
        if weight_grams <= 250:
            rate = 1_180
        elif weight_grams <= 500:
            rate = 1_490
        elif weight_grams <= 1_000:
            rate = 1_990
        elif weight_grams <= 2_000:
            rate = 2_690
        elif weight_grams <= 5_000:
            rate = 3_980
        elif weight_grams <= 10_000:
            rate = 5_750
        else:
            rate = 5_750 + (kilograms - 10) * 410
    elif zone == 5:
        if weight_grams <= 500:
            rate = 1_890
        elif weight_grams <= 2_000:
            rate = 3_450
        elif weight_grams <= 10_000:
            rate = 7_980
        else:
            rate = 7_980 + (kilograms - 10) * 590
    else:
        raise ValueError(f"no such zone: {zone}")
    if express and zone <= 2:
        return rate + 600
    if express:
        return rate * 2
    return rate
