@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling several times at the same moment
  An impatient trader clicks again and again; two people cancel the same backtest.
  One of these cancellations takes effect, and the others do no harm.

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
  Scenario: Of five cancellations at the same moment exactly one takes effect
    When a long backtest is started
    Then the backtest is running within 10 seconds
    And its progress is above 0 % and moving within 30 seconds
    When the backtest is cancelled 5 times at the same moment
    Then at least one of these cancellations is acknowledged, and none is an error of KTRDR's own
    And the backtest is reported as cancelled within 2 seconds
    And its record says when it ended
    And exactly one of them takes effect
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the progress of the cancelled backtest stays frozen for 2 seconds, and for 3 of its usual updates
    And as a sanity check, the cancelled backtest is not completed, even now that the new one has run
