#!/usr/bin/env bash
# The recipe as it is written: its requests, its sleeps, its jq filters. It judges nothing; people read what it prints.
set -euo pipefail

RESPONSE=$(curl -s -X POST http://localhost:${KTRDR_API_PORT:-8000}/api/v1/backtests/start \
  -H "Content-Type: application/json" \
  -d '{
    "model_path": "models/neuro_mean_reversion/1d_v21/model.pt",
    "strategy_name": "neuro_mean_reversion",
    "symbol": "EURUSD",
    "timeframe": "1d",
    "start_date": "2023-01-01",
    "end_date": "2024-12-31"
  }')
OPERATION_ID=$(echo "$RESPONSE" | jq -r '.operation_id')

sleep 5
curl -s "http://localhost:${KTRDR_API_PORT:-8000}/api/v1/operations/$OPERATION_ID" | \
  jq '{status:.data.status, pct:.data.progress.percentage}'

curl -s -X DELETE "http://localhost:${KTRDR_API_PORT:-8000}/api/v1/operations/$OPERATION_ID" | jq

sleep 2
curl -s "http://localhost:${KTRDR_API_PORT:-8000}/api/v1/operations/$OPERATION_ID" | \
  jq '{status:.data.status, pct:.data.progress.percentage}'

curl -s -X POST http://localhost:${KTRDR_API_PORT:-8000}/api/v1/backtests/start \
  -H "Content-Type: application/json" \
  -d '{
    "model_path": "models/neuro_mean_reversion/1d_v21/model.pt",
    "strategy_name": "neuro_mean_reversion",
    "symbol": "EURUSD",
    "timeframe": "1d",
    "start_date": "2024-01-01",
    "end_date": "2024-01-31"
  }' | jq '{success:.success}'
