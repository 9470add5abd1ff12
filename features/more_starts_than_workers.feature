@allure.epic:Backtesting @allure.suite:Backtest
Feature: Starting more backtests than there are workers
  When many traders start at the same moment there may be too few workers for all of them.
  Whoever is turned away must be told so, whoever is accepted must be served, and cancelling one harms no other.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @disturbs_others @allure.story:Releasing
  Scenario: Every start beyond the capacity is refused in plain words or runs, and none is called failed
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When more are started at the same moment, so that there are 3 more backtests than workers
    Then each start is accepted, or refused in plain words
    And each backtest that was accepted runs within 30 seconds
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    And none of the others is called failed, each watched to its end, for at most 90 seconds
