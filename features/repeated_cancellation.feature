@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling again and again
  Cancelling is no rare event: traders try, cancel and try again.
  No cancellation may wear the platform down, and a second one of the same backtest must do no harm.

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

  @normal @allure.story:Cancelling
  Scenario: Cancelling a backtest twice does no harm
    Given a backtest that was cancelled while it was running
    When the backtest is cancelled once more
    Then the second cancellation does no harm
    And the progress of the cancelled backtest stays frozen for 2 seconds, and for 3 of its usual updates

  @normal @slow @allure.story:Releasing
  Scenario: Nine cancelled backtests leave nothing behind that keeps a tenth from running
    When 9 backtests are started and cancelled, one after the other
    And a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
