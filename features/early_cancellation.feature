@allure.epic:Backtesting @allure.suite:Backtest
Feature: Cancelling a backtest right after its start
  A trader who sees a mistake in what was just started cancels it at once.
  At that moment the backtest is still preparing its indicators: it must stop all the same.

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

  @critical @allure.story:Cancelling
  Scenario: A backtest cancelled at once stays cancelled, and the next one runs at once
    When a long backtest is started
    And the backtest is cancelled at once
    Then the cancellation is acknowledged within 5 seconds
    And the backtest is reported as cancelled within 2 seconds
    And its record says when it ended
    When a new backtest is started at once, the first of these that has enough data
      | symbol | timeframe | from       | to         |
      | EURUSD | 1d        | 2024-01-01 | 2024-01-31 |
      | EURUSD | 1d        | 2024-01-01 | 2024-12-31 |
    Then the new backtest is accepted at once, within 5 seconds
    And the new backtest really runs within 30 seconds
    And the progress of the cancelled backtest stays frozen for 2 seconds, and for 3 of its usual updates
    And as a sanity check, the cancelled backtest is not completed, even now that the new one has run
    And as a sanity check, the system is stable: the new backtest started without trouble

  @critical @allure.story:Cancelling @same_backtest
  Scenario: The worker itself has stopped the backtest that was cancelled at once
    Given a backtest that was cancelled right after its start
    And its worker can be asked from here
    Then its worker has stopped it within 2 seconds of the cancellation

  @critical @allure.story:Cancelling @same_backtest
  Scenario: The worker's processor is quiet after a backtest was cancelled at once
    Given a backtest that was cancelled right after its start
    And the processor time of its worker can be read from here
    Then the processor of its worker is quiet within 2 seconds of the cancellation
