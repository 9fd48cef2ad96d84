"""Count primes by trial division."""


def is_prime(n: int) -> bool:
    """Say whether n is prime.

    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True


def count_primes(limit: int) -> int:
    """Return how many primes are below limit.

    >>> count_primes(10)
    4
    >>> count_primes(1000)
    168
    >>> count_primes(-5)
    0
    """
    total = 0
    candidate = 2
    while candidate < limit:
        divisor = 2
        while divisor * divisor <= candidate:
            if candidate % divisor == 0:
                break
            divisor += 1
        else:
            total += 1
        candidate += 1
    return total
