@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling a backtest as it ends
  A trader may cancel a backtest at the very moment at which it completes.
  It may end either way then, but everyone must be told the same, and it must stay so.

  Background: Preflight
    Given one of these backtests can be used, tried in this order
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
      | EURUSD | 1d        | 2005-01-01 | 2024-12-31 |
      | EURUSD | 1h        | 2023-01-01 | 2024-12-31 |
    And the services of KTRDR are running, as far as can be seen from here
    And the sandbox settings, if there are any, are the ones in use
    And KTRDR says of itself that it is healthy
    And at least one backtest worker is registered and free
    And the trained model is there, as far as can be seen from here
    And the trading strategy is there, as far as can be seen from here
    And the price data for one of the backtests are there

  @normal @slow @allure.story:Cancelling
  Scenario: A backtest that is cancelled as it ends is cancelled or completed, never both
    When 20 backtests are cancelled as they are about to end, one after the other
    Then each of them was either cancelled or completed, never both
    And the answer to each cancellation fits the way in which the backtest ended
    And each of them stays as it ended
    And some were cancelled and some completed, so that the cancellations did meet the end
