/**
 * Smooths a curve by an exponential moving average whose bias towards its beginning is divided out, as TensorBoard does.
 * Values that are missing stay missing.
 * @param weight Weight of the past, from 0 (no smoothing) to below 1.
 */
export function smooth(values: readonly (number | undefined)[], weight: number): (number | undefined)[] {
    let mean = 0;
    let debias = 0;
    return values.map(value => {
        if (value === undefined) return value;
        mean = weight * mean + (1 - weight) * value;
        debias = weight * debias + (1 - weight);
        return mean / debias;
    });
}
