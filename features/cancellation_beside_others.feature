@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling one backtest beside others
  Several traders share the platform: when one of them cancels a backtest, nobody else may notice.
  What runs on another worker runs on, and what comes next on the same worker has it for itself.

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

  @critical @disturbs_others @allure.story:Cancelling
  Scenario: The backtests of the others run on, and the next one on its worker runs as fast
    Given there is more than one backtest worker
    When a long backtest is started
    Then its progress is above 0 % and moving within 30 seconds
    When every other worker is given a backtest that must not be disturbed
    Then the other backtests are moving within 30 seconds
    When the backtest is cancelled
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    When the same backtest is started once more on the worker of the cancelled one
    Then the records of the other backtests are not touched by the cancellation
    And the other backtests run on at the pace that they had
    And it runs there at the pace that the cancelled one had
