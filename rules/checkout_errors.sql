-- name: CheckoutErrors
-- for: 2m
-- severity: critical
-- labels: {team: shop}
-- annotations:
--   summary: "{{ $labels.instance }}: {{ $value | humanizePercentage }} of requests fail"
SELECT errors.instance AS instance, errors.total / requests.total AS `value`, errors.window_time AS window_time
FROM (
    SELECT window_start, window_end, window_time, labels['instance'] AS instance, SUM(`value`) AS total
    FROM TABLE(TUMBLE(TABLE samples('checkout_errors', 'env="live"'), DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    GROUP BY window_start, window_end, window_time, labels['instance']
) errors JOIN (
    SELECT window_start, window_end, window_time, labels['instance'] AS instance, SUM(`value`) AS total
    FROM TABLE(TUMBLE(TABLE samples('checkout_requests', 'env="live"'), DESCRIPTOR(ts), INTERVAL '1' MINUTE))
    GROUP BY window_start, window_end, window_time, labels['instance']
) requests ON errors.window_start = requests.window_start AND errors.window_end = requests.window_end
    AND errors.instance = requests.instance
WHERE errors.total > 0.05 * requests.total
