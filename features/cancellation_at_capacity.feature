@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling when every worker is busy
  When every worker is busy, the reason to cancel a backtest is to run another one in its place.
  That place must be free at once.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1h        | 2015-01-01 | 2025-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @disturbs_others @allure.story:Releasing
  Scenario: The place of a cancelled backtest is free at once
    When a long backtest is started
    Then the backtest is running within 10 seconds
    When every other worker is given a backtest of its own
    Then its progress is above 0 % and moving within 30 seconds
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
